import { isUtf8 } from "node:buffer";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { binaryReader } from "../codec/binary-reader.ts";
import { binaryWriter } from "../codec/binary-writer.ts";
import { defaultMaxElements, ElementLimitError } from "../codec/element-limit.ts";
import { parseExactJson } from "../codec/exact-json.ts";
import { assertJsonElements } from "../codec/json-elements.ts";
import { createJsonReader } from "../codec/json-reader.ts";
import { createJsonWriter } from "../codec/json-writer.ts";
import { tooManyElements } from "../errors.ts";
import { hasDuplicateKeys } from "../fields/duplicate-keys.ts";
import type { RestOptions } from "../rest/options.ts";

/** Reads the requests and writes the responses of a method for Connect, gRPC-Web and gRPC. */
export interface RpcCodec {
  /** @throws ConnectError INVALID_ARGUMENT, or RESOURCE_EXHAUSTED for too many elements. */
  decode(bytes: Uint8Array, binary: boolean): Message;
  encode(message: Message, binary: boolean): Buffer;
}

/** Maximum length of a decoding error's reason, in characters: the reason may repeat request data. */
const maxReasonLength = 400;

/** Creates the codec of a method. Unknown JSON fields are ignored, as Connect requires. */
export function createRpcCodec(
  method: DescMethod,
  { registry, maxElements = defaultMaxElements }: Pick<RestOptions, "registry" | "maxElements">,
): RpcCodec {
  const types = registry === undefined ? {} : { registry };
  const readBinary = binaryReader(method.input, { maxElements });
  const writeBinary = binaryWriter(method.output);
  const readJson = createJsonReader({ ignoreUnknownFields: true, ...types })(method.input);
  const writeJson = createJsonWriter({
    alwaysEmitImplicit: false,
    useProtoFieldName: false,
    enumAsInteger: false,
    ...types,
  })(method.output);

  const decodeJson = (bytes: Uint8Array): Message => {
    if (!isUtf8(bytes)) throw new TypeError("it is not UTF-8");
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    assertJsonElements(text, maxElements);
    const json = parseExactJson(text);
    if (hasDuplicateKeys(text, json)) throw new TypeError("an object has a key twice");
    return readJson(json);
  };

  return {
    decode(bytes, binary) {
      try {
        return binary ? readBinary(bytes) : decodeJson(bytes);
      } catch (error) {
        if (error instanceof ElementLimitError) throw tooManyElements(error);
        const reason = error instanceof Error ? error.message : String(error);
        const message = `cannot decode ${method.input.typeName}: ${reason.slice(0, maxReasonLength).toWellFormed()}`;
        throw new ConnectError(message, Code.InvalidArgument, undefined, undefined, error);
      }
    },
    encode(message, binary) {
      if (!binary) return Buffer.from(writeJson(message));
      const bytes = writeBinary(message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    },
  };
}
