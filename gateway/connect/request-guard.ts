import { isUtf8 } from "node:buffer";
import type { DescMethod, JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import { assertBinaryElements } from "../codec/binary-elements.ts";
import { defaultMaxElements, ElementLimitError } from "../codec/element-limit.ts";
import { assertJsonElements } from "../codec/json-elements.ts";
import { assertIntegerLengths, mayHoldLongInteger } from "../codec/json-integers.ts";
import { withoutDetails } from "../errors.ts";
import { decodeBody } from "../http/content-encoding.ts";
import { processBudget } from "../http/decode-budget.ts";
import { defaultMaxBodyBytes, type RestOptions } from "../rest/options.ts";
import { splitEnvelopes } from "./split-envelopes.ts";

/** What connect-node can undo too. */
const encodings: ReadonlySet<string> = new Set(["gzip", "br"]);

/**
 * Puts the limits of a request before connect-node, which has no hook for them: each message of its body is
 * decompressed here, within the limits of its expansion, and its elements are counted, before it is handed on
 * uncompressed. Messages in URLs are small enough as they are.
 *
 * What the protocols forbid (a message that is too large, unknown flags or encodings) is handed on as it came, for
 * connect-node to refuse.
 */
export function createRequestGuard(
  method: DescMethod,
  options: RestOptions,
): (request: UniversalServerRequest) => UniversalServerRequest {
  const { registry, decodeBudget = processBudget, maxElements = defaultMaxElements } = options;
  const maxBytes = options.maxBodyBytes ?? defaultMaxBodyBytes;

  /** @throws ConnectError */
  const open = async (message: Buffer, encoding: string, isBinary: boolean): Promise<Buffer> => {
    try {
      const plain = await decodeBody(message, encoding, maxBytes, decodeBudget);
      if (isBinary) assertBinaryElements(method.input, plain, maxElements);
      else checkJson(plain);
      return plain;
    } catch (error) {
      throw refusalOf(error);
    }
  };

  const checkJson = (bytes: Buffer): void => {
    if (!isUtf8(bytes)) return;
    const text = bytes.toString("utf8");
    assertJsonElements(text, maxElements);
    if (mayHoldLongInteger(text)) assertIntegerLengths(method.input, parse(text), registry);
  };

  async function* guardMessages(
    chunks: AsyncIterable<Uint8Array>,
    encoding: string,
    isBinary: boolean,
  ): AsyncGenerator<Uint8Array> {
    for await (const part of splitEnvelopes(chunks, maxBytes)) {
      if (part instanceof Uint8Array || (part.isCompressed && !encodings.has(encoding))) {
        yield part instanceof Uint8Array ? part : part.bytes;
        continue;
      }
      const message = await open(part.message, part.isCompressed ? encoding : "", isBinary);
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      yield Buffer.concat([head, message]);
    }
  }

  /** Connect's unary POST: the body is the message. */
  async function* guardBody(
    chunks: AsyncIterable<Uint8Array>,
    encoding: string,
    isBinary: boolean,
  ): AsyncGenerator<Uint8Array> {
    const kept: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > maxBytes) yield chunk;
      else kept.push(chunk);
    }
    if (size <= maxBytes) yield await open(Buffer.concat(kept), encoding, isBinary);
  }

  return (request) => {
    if (request.method !== "POST") return request;
    const { header } = request;
    const body = request.body as AsyncIterable<Uint8Array>;
    const type = header.get("content-type") ?? "";
    const isBinary = !/\bjson\b/.test(type);
    if (/^application\/grpc/.test(type)) {
      return { ...request, body: guardMessages(body, header.get("grpc-encoding") ?? "", isBinary) };
    }
    if (/^application\/connect\+/.test(type)) {
      return { ...request, body: guardMessages(body, header.get("connect-content-encoding") ?? "", isBinary) };
    }
    const encoding = header.get("content-encoding") ?? "";
    if (encoding !== "" && encoding !== "identity" && !encodings.has(encoding)) return request;
    header.delete("content-encoding");
    header.delete("content-length");
    return { ...request, body: guardBody(body, encoding, isBinary) };
  };
}

/** Text that is not JSON holds no integer; connect-node refuses it. */
function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}

function refusalOf(error: unknown): ConnectError {
  if (error instanceof ConnectError) return withoutDetails(error);
  const code = error instanceof ElementLimitError ? Code.ResourceExhausted : Code.InvalidArgument;
  return new ConnectError(error instanceof Error ? error.message : String(error), code);
}
