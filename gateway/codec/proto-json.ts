import {
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonReadOptions,
  type JsonValue,
  type Message,
  mergeFromJson,
  type Registry,
  ScalarType,
} from "@bufbuild/protobuf";
import { recursionLimit, wrappedScalar } from "./compile.ts";
import { type ExactJson, integerOf, isJsonNumber } from "./exact-json.ts";
import { isRealTime } from "./real-time.ts";

/**
 * `fromJson` of the library, kept to the ProtoJSON specification where the library is not: 64-bit integers are exact,
 * times that do not exist are refused, `null` leaves a member of a oneof unset, and quoted numbers have JSON's grammar.
 *
 * @throws Error that says what is wrong.
 */
export function readProtoJson(desc: DescMessage, json: JsonValue, options: Partial<JsonReadOptions> = {}): Message {
  return fromJson(desc, toLibraryJson(desc, json, options.registry), options);
}

/** The same into a message that is there: repeated fields and maps grow. */
export function mergeProtoJson(desc: DescMessage, target: Message, json: JsonValue): void {
  mergeFromJson(desc, target, toLibraryJson(desc, json, undefined));
}

/** JSON of a message in the form in which the library reads it right. */
function toLibraryJson(desc: DescMessage, json: ExactJson, registry: Registry | undefined): JsonValue {
  return messageJson(desc, json, 1);

  function messageJson(message: DescMessage, value: ExactJson, depth: number): JsonValue {
    // The library refuses what is deeper.
    if (depth > recursionLimit + 1) return null;
    const wrapped = wrappedScalar(message);
    if (wrapped !== undefined) return value === null ? null : scalarJson(wrapped, value);
    switch (message.typeName) {
      case "google.protobuf.Timestamp":
        if (typeof value === "string" && !isRealTime(value)) throw new Error(`${JSON.stringify(value)} does not exist`);
        return plainJson(value, depth);
      case "google.protobuf.Any":
        return anyJson(value, depth);
      default:
        if (message.typeName.startsWith("google.protobuf.") && isCustom(message)) return plainJson(value, depth);
    }
    if (!isObject(value)) return plainJson(value, depth);
    const fields = Object.entries(value).flatMap(([key, inner]): [string, JsonValue][] => {
      const field = fieldOf(message, key);
      if (field === undefined) return [[key, plainJson(inner, depth)]];
      if (inner === null && field.oneof !== undefined && !hasNull(field)) return [];
      return [[key, fieldJson(field, inner, depth)]];
    });
    return Object.fromEntries(fields);
  }

  function fieldOf(message: DescMessage, key: string): DescField | DescExtension | undefined {
    const field = message.fields.find(({ jsonName, name }) => jsonName === key || name === key);
    return field ?? (key.startsWith("[") ? registry?.getExtension(key.slice(1, -1)) : undefined);
  }

  function fieldJson(field: DescField | DescExtension, value: ExactJson, depth: number): JsonValue {
    const single = (inner: ExactJson): JsonValue => {
      if (field.message !== undefined) return messageJson(field.message, inner, depth + 1);
      return field.scalar === undefined || inner === null ? plainJson(inner, depth) : scalarJson(field.scalar, inner);
    };
    if (field.fieldKind === "list" && Array.isArray(value)) return value.map(single);
    if (field.fieldKind === "map" && isObject(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [mapKey(field.mapKey, key), single(inner)]),
      );
    }
    return field.fieldKind === "list" || field.fieldKind === "map" ? plainJson(value, depth) : single(value);
  }

  function anyJson(value: ExactJson, depth: number): JsonValue {
    if (!isObject(value)) return plainJson(value, depth);
    const { "@type": url, ...rest } = value;
    const type = typeof url === "string" ? registry?.getMessage(url.slice(url.lastIndexOf("/") + 1)) : undefined;
    if (type === undefined) return plainJson(value, depth);
    const inner =
      isCustom(type) && "value" in rest ? { value: messageJson(type, rest["value"] ?? null, depth + 1) } : undefined;
    return {
      "@type": url,
      ...(inner ?? (messageJson(type, rest, depth + 1) as Record<string, JsonValue>)),
    } as JsonValue;
  }
}

const custom = /^google\.protobuf\.(Any|Duration|FieldMask|ListValue|Struct|Timestamp|Value|\w+Value)$/;

/** True for the well-known types that JSON does not write field by field. */
function isCustom({ typeName }: DescMessage): boolean {
  return custom.test(typeName);
}

/** `null` is a value of these. */
function hasNull({ message, enum: type }: { message?: DescMessage | undefined; enum?: DescEnum | undefined }): boolean {
  return message?.typeName === "google.protobuf.Value" || type?.typeName === "google.protobuf.NullValue";
}

/** JSON whose integers are doubles again, as in a Struct. */
function plainJson(value: ExactJson, depth: number): JsonValue {
  if (depth > recursionLimit + 1) return null;
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map((inner: ExactJson) => plainJson(inner, depth + 1));
  if (!isObject(value)) return value as JsonValue;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainJson(inner, depth + 1)]));
}

function scalarJson(type: ScalarType, value: ExactJson): JsonValue {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
    case ScalarType.BOOL:
      return plainJson(value, 1);
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      if (typeof value !== "string" || value === "NaN" || value === "Infinity" || value === "-Infinity") break;
      if (!isJsonNumber(value)) throw new Error(`${JSON.stringify(value)} is not a number`);
      return Number(value);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      if (typeof value === "bigint") return String(value);
      return typeof value === "string" ? String(quotedInteger(value)) : plainJson(value, 1);
    default:
      if (typeof value === "string") return Number(quotedInteger(value));
  }
  return plainJson(value, 1);
}

function mapKey(type: ScalarType, key: string): string {
  if (type === ScalarType.STRING || type === ScalarType.BOOL || /^-?\d{1,100}$/.test(key)) return key;
  throw new Error(`map key ${JSON.stringify(key)} is not an integer`);
}

function quotedInteger(text: string): bigint {
  // Leading zeros are no JSON, but every reader has always taken them in quotes.
  const integer = /^-?\d{1,100}$/.test(text) ? BigInt(text) : integerOf(text);
  if (integer === undefined) throw new Error(`${JSON.stringify(text)} is not an integer`);
  return integer;
}

function isObject(value: ExactJson): value is { readonly [key: string]: ExactJson } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
