import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { FieldPath } from "./fields.ts";

/** Messages that are texts in JSON. */
const textual = new Set(["google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"]);

/**
 * Builds a JSON body of about `bytes` bytes with one field as large as possible: a list or map of the smallest
 * elements, a long text, or a number of many digits.
 */
export function jsonBody(path: FieldPath, bytes: number): Buffer {
  const leaf = path.at(-1);
  const [open, close] = path.slice(0, -1).reduceRight(
    ([before, after], field) => {
      const [from, to] = jsonWrapping(field);
      return [`{"${field.jsonName}":${from}${before}`, `${after}${to}}`];
    },
    leaf === undefined ? ["", ""] : [`{"${leaf.jsonName}":`, "}"],
  );
  return Buffer.from(
    `${open}${leaf === undefined ? "{}" : jsonFill(leaf, bytes - open.length - close.length)}${close}`,
  );
}

function jsonWrapping({ fieldKind }: DescField): [string, string] {
  return fieldKind === "list" ? ["[", "]"] : fieldKind === "map" ? ['{"1":', "}"] : ["", ""];
}

function jsonFill(field: DescField, bytes: number): string {
  switch (field.fieldKind) {
    case "list": {
      const element = smallestJson(field.message, field.scalar);
      const count = Math.floor((bytes - 2) / (element.length + 1));
      return `[${`${element},`.repeat(count - 1)}${element}]`;
    }
    case "map": {
      const value = smallestJson(field.message, field.scalar);
      const entries: string[] = [];
      for (let size = 2, at = 0; size < bytes - 16; at += 1) {
        const entry = `"${at}":${value}`;
        size += entry.length + 1;
        entries.push(entry);
      }
      return `{${entries.join(",")}}`;
    }
    case "message":
      return textual.has(field.message.typeName) ? `"${"1".repeat(bytes - 2)}"` : `{"x":"${"x".repeat(bytes - 8)}"}`;
    default:
      return isNumber(field.scalar) ? "1".repeat(bytes) : `"${"A".repeat((bytes - 2) & ~3)}"`;
  }
}

function smallestJson(message: DescMessage | undefined, scalar: ScalarType | undefined): string {
  if (message !== undefined) {
    return textual.has(message.typeName) ? '""' : "{}";
  }
  return isNumber(scalar) ? "0" : '""';
}

/** Enums (no scalar) are numbers too. */
function isNumber(scalar: ScalarType | undefined): boolean {
  return scalar !== ScalarType.STRING && scalar !== ScalarType.BYTES && scalar !== ScalarType.BOOL;
}

/**
 * Builds a binary message of about `bytes` bytes with one field as large as possible. A singular field that is not
 * length-delimited, or a message, is repeated, as the format permits.
 */
export function binaryBody(path: FieldPath, bytes: number): Buffer {
  const leaf = path.at(-1);
  const room = bytes - 8 * path.length;
  let body = leaf === undefined ? Buffer.alloc(0) : binaryFill(leaf, room);
  for (const field of path.slice(0, -1).toReversed()) {
    // The value of a map entry is its field 2.
    const inner = field.fieldKind === "map" ? delimited(2, body) : body;
    body = delimited(field.number, inner);
  }
  return body;
}

function binaryFill(field: DescField, bytes: number): Buffer {
  if (field.fieldKind === "map") {
    return mapEntries(field, bytes);
  }
  const isText = field.fieldKind === "scalar" && !isNumber(field.scalar);
  if (isText || (field.fieldKind === "list" && field.packed)) {
    return delimited(field.number, Buffer.alloc(bytes, isText ? "A" : 0));
  }
  const isDelimited = field.message !== undefined || !isNumber(field.scalar);
  const element = Buffer.from([...varint((field.number << 3) | (isDelimited ? 2 : wireTypeOf(field.scalar))), 0]);
  const whole = Buffer.concat([element, Buffer.alloc(paddingOf(isDelimited ? undefined : field.scalar))]);
  return Buffer.alloc(Math.floor(bytes / whole.length) * whole.length, whole);
}

function mapEntries(field: Extract<DescField, { fieldKind: "map" }>, bytes: number): Buffer {
  const entries: Buffer[] = [];
  const isText = field.mapKey === ScalarType.STRING;
  for (let size = 0, at = 0; size < bytes - 32; at += 1) {
    const key = isText ? delimited(1, Buffer.from(String(at))) : Buffer.from([8, ...varint(at)]);
    const entry = delimited(field.number, key);
    size += entry.length;
    entries.push(entry);
  }
  return Buffer.concat(entries);
}

function delimited(number: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(value.length)]), value]);
}

const fixed64 = new Set<ScalarType | undefined>([ScalarType.DOUBLE, ScalarType.FIXED64, ScalarType.SFIXED64]);
const fixed32 = new Set<ScalarType | undefined>([ScalarType.FLOAT, ScalarType.FIXED32, ScalarType.SFIXED32]);

function wireTypeOf(scalar: ScalarType | undefined): number {
  return fixed64.has(scalar) ? 1 : fixed32.has(scalar) ? 5 : 0;
}

/** Bytes of the smallest value beyond its first. */
function paddingOf(scalar: ScalarType | undefined): number {
  return fixed64.has(scalar) ? 7 : fixed32.has(scalar) ? 3 : 0;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) {
    bytes.push((rest & 127) | 128);
  }
  return [...bytes, rest];
}
