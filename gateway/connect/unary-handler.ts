import { isUtf8 } from "node:buffer";
import type { JsonReadOptions, JsonWriteOptions, Message, Registry } from "@bufbuild/protobuf";
import { fromJsonString } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor, type MethodImplSpec } from "@connectrpc/connect";
import { type Call, openCall } from "../call/call-context.ts";
import { untilAborted } from "../call/deadline.ts";
import { invokeUnary } from "../call/invoke-unary.ts";
import { binaryReader } from "../codec/binary-reader.ts";
import { binaryWriter } from "../codec/binary-writer.ts";
import { defaultMaxElements, ElementLimitError } from "../codec/element-limit.ts";
import { parseExactJson } from "../codec/exact-json.ts";
import { assertJsonElements } from "../codec/json-elements.ts";
import { createJsonReader } from "../codec/json-reader.ts";
import { createJsonWriter } from "../codec/json-writer.ts";
import { tooManyElements, withoutDetails } from "../errors.ts";
import { countKeys, countKeysInText } from "../fields/duplicate-keys.ts";
import { type Request, type Response, readRaw } from "../http/body.ts";
import { decodeBody } from "../http/content-encoding.ts";
import { answerFailure } from "../http/last-resort.ts";
import { defaultMaxBodyBytes, type RestOptions } from "../rest/options.ts";
import { answerConnect, answerGrpcWeb, type RpcWire, refuseConnect, refuseGrpcWeb } from "./unary-response.ts";

/**
 * Serves a unary call of Connect or gRPC-Web, or leaves it alone.
 *
 * @returns false where the request is anything but ordinary: then nothing of it has been touched.
 */
export type UnaryRpc = (request: Request, response: Response) => boolean;

/** What serving RPCs needs: as for REST, and a meter that all methods share. */
export type RpcOptions = RestOptions & Required<Pick<RestOptions, "meter">>;

/** Hands a request whose body was read already to the handlers of connect-node. */
export type Fallback = (request: Request, response: Response, body: Uint8Array) => void;

const wires: Readonly<Record<string, RpcWire>> = {
  "application/json": { protocol: "connect", binary: false },
  "application/json; charset=utf-8": { protocol: "connect", binary: false },
  "application/proto": { protocol: "connect", binary: true },
  "application/grpc-web": { protocol: "grpc-web", binary: true },
  "application/grpc-web+proto": { protocol: "grpc-web", binary: true },
  "application/grpc-web+json": { protocol: "grpc-web", binary: false },
};

/** How much is told of why a message cannot be read, in characters: the reason may repeat what was sent. */
const maxReasonLength = 400;

/**
 * The fast road for a unary method: no streams, no iterators, compiled codecs, and nothing made that nobody asks for.
 * GET, and anything but one whole message, are left to connect-node.
 */
export function createUnaryRpc(
  spec: MethodImplSpec & { kind: "unary" },
  interceptors: readonly Interceptor[],
  options: RpcOptions,
  fallback: Fallback,
): UnaryRpc {
  const { method } = spec;
  const maxBytes = options.maxBodyBytes ?? defaultMaxBodyBytes;
  const jsonOptions = jsonOptionsOf(options.registry);
  const maxElements = options.maxElements ?? defaultMaxElements;
  const readBinary = binaryReader(method.input, { maxElements });
  const writeBinary = binaryWriter(method.output);
  const readJson = createJsonReader(jsonOptions)(method.input);
  const writeJson = createJsonWriter({
    alwaysEmitImplicit: false,
    useProtoFieldName: false,
    enumAsInteger: false,
    ...(options.registry === undefined ? {} : { registry: options.registry }),
  })(method.output);

  const decode = (bytes: Uint8Array, binary: boolean): Message => {
    try {
      return binary ? readBinary(bytes) : decodeJson(bytes);
    } catch (error) {
      if (error instanceof ElementLimitError) throw tooManyElements(error);
      const reason = error instanceof Error ? error.message : String(error);
      const message = `cannot decode ${method.input.typeName}: ${reason.slice(0, maxReasonLength).toWellFormed()}`;
      throw new ConnectError(message, Code.InvalidArgument, undefined, undefined, error);
    }
  };
  const decodeJson = (bytes: Uint8Array): Message => {
    if (!isUtf8(bytes)) throw new TypeError("it is not UTF-8");
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    assertJsonElements(text, maxElements);
    const json = parseExactJson(text);
    return countKeysInText(text) === countKeys(json) ? readJson(json) : fromJsonString(method.input, text, jsonOptions);
  };
  const encode = (message: Message, binary: boolean): Buffer => {
    if (!binary) return Buffer.from(writeJson(message));
    const bytes = writeBinary(message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  };

  return (request, response) => {
    const { headers } = request;
    const wire = wires[headers["content-type"] ?? ""];
    if (wire === undefined || request.method !== "POST" || isUnusual(headers, wire)) return false;
    const timeout = wire.protocol === "connect" ? headers["connect-timeout-ms"] : headers["grpc-timeout"];
    const timeoutMs = timeout === undefined ? undefined : timeoutOf(wire, String(timeout));
    if (timeout !== undefined && (timeoutMs === undefined || timeoutMs > (options.maxTimeoutMs ?? Infinity)))
      return false;
    serve(request, response, wire, timeoutMs).catch((error: unknown) => {
      options.onError?.(error, request);
      answerFailure(request, response, "rpc");
    });
    return true;
  };

  async function serve(
    request: Request,
    response: Response,
    wire: RpcWire,
    timeoutMs: number | undefined,
  ): Promise<void> {
    const call = openCall(spec, {
      protocolName: wire.protocol,
      requestMethod: "POST",
      url: absoluteUrl(request),
      response,
      requestHeader: () => headersOf(request),
      timeoutMs,
      shutdownSignal: options.shutdownSignal,
      contextValues: options.contextValues?.(request),
    });
    try {
      const admitted = options.admit?.(call);
      if (admitted !== undefined) await untilAborted(admitted, call.signal);
      const head = wire.protocol === "connect" ? 0 : messageHead;
      const body = await readRaw(request, { maxBytes: maxBytes + head, meter: options.meter });
      const encoding = encodingOf(request.headers, wire);
      const first =
        wire.protocol === "connect"
          ? { data: body, isCompressed: encoding !== undefined, isAlone: true }
          : firstMessage(body, encoding);
      const input =
        first &&
        decode(
          first.isCompressed
            ? await decodeBody(first.data, encoding ?? "", maxBytes, options.decodeBudget)
            : first.data,
          wire.binary,
        );
      if (input === undefined || !first?.isAlone) {
        call.abort();
        fallback(request, response, body);
        return;
      }
      const answer = invokeUnary(spec, call, input, interceptors);
      const message = timeoutMs === undefined ? await answer : await untilAborted(Promise.resolve(answer), call.signal);
      const output = encode(message, wire.binary);
      if (wire.protocol === "connect") await answerConnect(request, response, call, wire, output);
      else await answerGrpcWeb(request, response, call, wire, output);
    } catch (thrown) {
      const error = errorOf(thrown, call);
      if (error.code === Code.Internal) options.onError?.(thrown, request);
      if (response.headersSent || response.destroyed) return;
      if (wire.protocol === "connect") refuseConnect(response, call, error, jsonOptions);
      else refuseGrpcWeb(response, call, wire, error);
    } finally {
      call.abort();
    }
  }
}

function jsonOptionsOf(
  registry: Registry | undefined,
): Partial<JsonReadOptions & JsonWriteOptions> & { registry?: Registry } {
  return { ignoreUnknownFields: true, ...(registry === undefined ? {} : { registry }) };
}

/** What connect-node should look at itself. */
function isUnusual(headers: Request["headers"], wire: RpcWire): boolean {
  const encoding = encodingOf(headers, wire);
  if (encoding !== undefined && encoding !== "gzip" && encoding !== "br") return true;
  const foreign = headers[wire.protocol === "connect" ? "grpc-encoding" : "content-encoding"];
  if (foreign !== undefined && foreign !== "identity") return true;
  const version = headers["connect-protocol-version"];
  return version !== undefined && version !== "1";
}

/** How the message is compressed, or may be where its envelope says so. */
function encodingOf(headers: Request["headers"], wire: RpcWire): string | undefined {
  const encoding = headers[wire.protocol === "connect" ? "content-encoding" : "grpc-encoding"];
  return encoding === undefined || encoding === "identity" ? undefined : String(encoding);
}

const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

function timeoutOf(wire: RpcWire, value: string): number | undefined {
  if (wire.protocol === "connect") return /^\d{1,10}$/.test(value) ? Number(value) : undefined;
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  return match === null ? undefined : Number(match[1]) * (units[match[2] ?? ""] ?? 1);
}

function absoluteUrl(request: Request): string {
  const encrypted = "encrypted" in request.socket && request.socket.encrypted === true;
  const authority = ("authority" in request ? request.authority : request.headers.host) ?? "localhost";
  return `${encrypted ? "https" : "http"}://${authority}${request.url ?? ""}`;
}

function headersOf(request: Request): Headers {
  const headers = new Headers();
  for (const name in request.headers) {
    const value = request.headers[name];
    if (value === undefined || name.startsWith(":")) continue;
    if (typeof value === "string") headers.append(name, value);
    else for (const each of value) headers.append(name, each);
  }
  return headers;
}

/** Bytes before each message of gRPC-Web: flags and its length. */
const messageHead = 5;

interface FirstMessage {
  readonly data: Buffer;
  readonly isCompressed: boolean;
  /** Nothing follows it. */
  readonly isAlone: boolean;
}

/** The first message of a gRPC-Web request; undefined where it is not there whole or says what it may not. */
function firstMessage(body: Buffer, encoding: string | undefined): FirstMessage | undefined {
  if (body.length < messageHead) return undefined;
  const isCompressed = body[0] === 1 && encoding !== undefined;
  const end = messageHead + body.readUInt32BE(1);
  if ((body[0] !== 0 && !isCompressed) || end > body.length) return undefined;
  return { data: body.subarray(messageHead, end), isCompressed, isAlone: end === body.length };
}

function errorOf(thrown: unknown, call: Call): ConnectError {
  if (thrown instanceof ConnectError) return withoutDetails(thrown);
  const reason = call.aborted();
  if (reason instanceof ConnectError) return reason;
  return new ConnectError("internal error", Code.Internal, undefined, undefined, thrown);
}
