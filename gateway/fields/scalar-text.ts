import { type DescEnum, type DescField, type DescMessage, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { defaultMaxElements, ElementLimitError } from "../codec/element-limit.ts";
import { assertJsonElements } from "../codec/json-elements.ts";
import { hasDuplicateKeys } from "./duplicate-keys.ts";
import { hasLoneSurrogate } from "./unicode.ts";

/** Text converted to JSON, or the reason why it could not be. */
export type TextValue = { readonly json: JsonValue } | { readonly description: string };

/**
 * Parses the text of a path variable or query parameter as one value of the field (one item of a repeated field, one
 * value of a map) and returns its JSON form. Ranges are checked by the JSON reader.
 */
export function parseText(field: DescField, text: string): TextValue {
  if (field.scalar !== undefined) return parseScalar(field.scalar, text);
  if (field.enum !== undefined) return parseEnum(field.enum, text);
  if (field.message !== undefined) return parseMessage(field.message, text);
  return { description: "cannot be set from text" };
}

function parseScalar(type: ScalarType, text: string): TextValue {
  switch (type) {
    case ScalarType.STRING:
      return { json: text };
    case ScalarType.BOOL:
      if (text === "true" || text === "false") return { json: text === "true" };
      return { description: `expected true or false, got "${shorten(text)}"` };
    case ScalarType.BYTES:
      if (isBase64(text)) return { json: text };
      return { description: "expected base64 or base64url" };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      if (text === "NaN" || text === "Infinity" || text === "-Infinity") return { json: text };
      if (!/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) || !fits(type, Number(text))) {
        return { description: `expected a number, got "${shorten(text)}"` };
      }
      return { json: Number(text) };
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return parseInteger(text, -(2n ** 63n), 2n ** 63n - 1n);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return parseInteger(text, 0n, 2n ** 64n - 1n);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return parseInteger(text, -(2n ** 31n), 2n ** 31n - 1n);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return parseInteger(text, 0n, 2n ** 32n - 1n);
    default:
      return type satisfies never;
  }
}

function fits(type: ScalarType, value: number): boolean {
  return Number.isFinite(type === ScalarType.FLOAT ? Math.fround(value) : value);
}

function parseInteger(text: string, min: bigint, max: bigint): TextValue {
  if (!/^-?\d{1,20}$/.test(text)) return { description: `expected an integer, got "${shorten(text)}"` };
  const value = BigInt(text);
  if (value < min || value > max) return { description: `${text} is not between ${min} and ${max}` };
  return { json: value.toString() };
}

function parseEnum(type: DescEnum, text: string): TextValue {
  if (type.typeName === "google.protobuf.NullValue") {
    if (text === "null" || text === "NULL_VALUE" || text === "0") return { json: null };
    return { description: `expected null, got "${shorten(text)}"` };
  }
  const byName = type.values.find((value) => value.name === text || value.jsonName === text);
  if (byName !== undefined) return { json: byName.name };
  if (/^-?\d{1,10}$/.test(text)) {
    const number = Number(text);
    const isKnown = type.values.some((value) => value.number === number);
    if (isKnown || (type.open && (number | 0) === number)) return { json: number };
  }
  return { description: `"${shorten(text)}" is not a value of ${type.typeName}` };
}

function parseMessage(type: DescMessage, text: string): TextValue {
  switch (type.typeName) {
    case "google.protobuf.Timestamp":
    case "google.protobuf.Duration":
      return { json: text };
    case "google.protobuf.FieldMask":
      return { json: text.split(",").map(toJsonPath).join(",") };
    case "google.protobuf.Struct":
    case "google.protobuf.Value":
    case "google.protobuf.ListValue":
      return parseJson(text);
    case "google.protobuf.Any":
      return { description: "cannot be set from text" };
    default: {
      const value = wrapped(type);
      if (value !== undefined) return parseScalar(value, text);
      return { description: `is a message (${type.typeName}): set its fields one by one` };
    }
  }
}

function parseJson(text: string): TextValue {
  try {
    assertJsonElements(text, defaultMaxElements);
    const json = JSON.parse(text) as JsonValue;
    if (hasDuplicateKeys(text, json)) return { description: "an object has a key twice" };
    if (hasLoneSurrogate(text, json)) return { description: "a string holds half a surrogate pair" };
    return { json };
  } catch (error) {
    return { description: error instanceof ElementLimitError ? error.message : "expected JSON" };
  }
}

function wrapped(type: DescMessage): ScalarType | undefined {
  return /^google\.protobuf\.\w+Value$/.test(type.typeName) ? type.fields[0]?.scalar : undefined;
}

/** `shipping_address.city` and `shippingAddress.city` → `shippingAddress.city`, the only form that JSON allows. */
function toJsonPath(path: string): string {
  return path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function isBase64(text: string): boolean {
  const body = text.replace(/={1,2}$/, "");
  if (!/^[A-Za-z0-9+/\-_]*$/.test(body) || body.length % 4 === 1) return false;
  return body.length === text.length || text.length % 4 === 0;
}

function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}
