import type { DescField, DescMessage, JsonObject, JsonValue, Message, Registry } from "@bufbuild/protobuf";
import { defaultMaxElements } from "./element-limit.ts";
import { parseExactJson } from "./exact-json.ts";
import { assertJsonElements } from "./json-elements.ts";
import { createJsonReader } from "./json-reader.ts";
import { createJsonWriter } from "./json-writer.ts";
import { writeProtoJson } from "./proto-json.ts";

/** How JSON is read and written. */
export interface JsonOptions {
  /** Types of Any and extensions. */
  readonly registry?: Registry | undefined;
  /** Drops unknown fields (default: reject). */
  readonly ignoreUnknownFields?: boolean;
  /** Writes fields that hold their default value (default: true, because REST clients expect fields to be present). */
  readonly emitDefaults?: boolean;
  /** Writes `line_items` instead of `lineItems`. */
  readonly protoNames?: boolean;
  /** Writes enum values as numbers. */
  readonly enumNumbers?: boolean;
  /** Maximum number of elements per text (default {@link defaultMaxElements}). */
  readonly maxElements?: number | undefined;
}

/** Reads and writes messages as proto3 JSON. Output is for clients: INPUT_ONLY fields are omitted. */
export interface JsonCodec {
  readonly registry: Registry | undefined;
  /** Parses a text. @throws ElementLimitError before parsing, SyntaxError for malformed JSON. */
  parse(text: string): JsonValue;
  /** @throws Error for JSON that the proto3 JSON mapping does not allow. */
  read(desc: DescMessage, json: JsonValue): Message;
  /** The JSON text of a message. */
  write(desc: DescMessage, message: Message): string;
  /** The JSON text of one field of a message; `null` for an unset message field. */
  writeField(desc: DescMessage, message: Message, field: DescField): string;
}

/** Creates a codec. */
export function createJsonCodec(options: JsonOptions = {}): JsonCodec {
  const { registry, maxElements = defaultMaxElements } = options;
  const readOptions = {
    ignoreUnknownFields: options.ignoreUnknownFields ?? false,
    ...(registry === undefined ? {} : { registry }),
  };
  const writeOptions = {
    alwaysEmitImplicit: options.emitDefaults ?? true,
    useProtoFieldName: options.protoNames ?? false,
    enumAsInteger: options.enumNumbers ?? false,
    omitInputOnly: true,
    ...(registry === undefined ? {} : { registry }),
  };
  const reader = createJsonReader(readOptions);
  const writer = createJsonWriter(writeOptions);
  return {
    registry,
    parse(text) {
      assertJsonElements(text, maxElements);
      return parseExactJson(text);
    },
    read: (desc, json) => reader(desc)(json),
    write: (desc, message) => writer(desc)(message),
    writeField(desc, message, field) {
      const name = options.protoNames === true ? field.name : field.jsonName;
      const { [name]: set } = writeProtoJson(desc, message, writeOptions) as JsonObject;
      if (set !== undefined) return JSON.stringify(set);
      // The field is the response, so it is written even if it holds its default.
      const { [name]: implicit } = writeProtoJson(desc, message, {
        ...writeOptions,
        alwaysEmitImplicit: true,
      }) as JsonObject;
      return JSON.stringify(implicit ?? null);
    },
  };
}
