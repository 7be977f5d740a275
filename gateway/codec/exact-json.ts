import type { JsonValue } from "@bufbuild/protobuf";

/**
 * A JSON value in which integers that a double may not represent exactly are bigints.
 *
 * Accepted only by message readers that go through {@link toProtoJson} or the compiled reader.
 */
export type ExactJson = JsonValue | bigint | readonly ExactJson[] | { readonly [key: string]: ExactJson };

/**
 * Matches texts with a number literal of 16 or more digits, or with an exponent. It may match others, but never misses
 * one.
 */
const hasLongNumber = /(?:^|[[:,\s-])(?:\d[\d.]{15}|\d[\d.]*[eE])/;

/**
 * Bounds of the numbers whose source is parsed again: below 2^53 integers are exact, above 2^64 they exceed 64 bits.
 */
const exactLimit = 2 ** 53;
const longLimit = 2 ** 64;

/** Parses JSON without rounding integers of up to 64 bits. Costs one search of the text in addition to `JSON.parse`. */
export function parseExactJson(text: string): JsonValue {
  if (!hasLongNumber.test(text)) return JSON.parse(text) as JsonValue;
  const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;
  return parse(text, (_, value, { source }) => {
    if (typeof value !== "number" || source === undefined) return value;
    if (Math.abs(value) < exactLimit || Math.abs(value) > longLimit) return value;
    return integerOf(source) ?? value;
  }) as JsonValue;
}

/** `JSON.parse` passes the source of primitive values, which TypeScript's library types lack. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** The grammar of JSON numbers. */
const number = /^(-?(?:0|[1-9]\d*))(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/;

/** The exact integer value of a JSON number; undefined for a non-integer and for more than 100 digits. */
export function integerOf(text: string): bigint | undefined {
  const match = number.exec(text);
  if (match === null) return undefined;
  const [, whole = "", fraction = "", exponent = "0"] = match;
  const shift = Number(exponent) - fraction.length;
  const digits = whole + fraction;
  if (digits.length + Math.max(shift, 0) > 100) return undefined;
  if (shift >= 0) return BigInt(digits + "0".repeat(shift));
  const kept = digits.length + shift;
  const dropped = digits.slice(Math.max(kept, 0));
  if (/[1-9]/.test(dropped)) return undefined;
  const integer = digits.slice(0, Math.max(kept, 0));
  return integer === "" || integer === "-" ? 0n : BigInt(integer);
}

/** True for text that is a valid JSON number. */
export function isJsonNumber(text: string): boolean {
  return number.test(text);
}
