import type { JsonValue } from "@bufbuild/protobuf";

/**
 * A JSON value in which integers that a double cannot be trusted to hold are bigints.
 *
 * Only readers of messages that go through {@link toProtoJson} or the compiled reader take it.
 */
export type ExactJson = JsonValue | bigint | readonly ExactJson[] | { readonly [key: string]: ExactJson };

/** Finds texts with a number literal of 16 or more digits, or with an exponent. May find others, never misses one. */
const hasLongNumber = /(?:^|[[:,\s-])(?:\d[\d.]{15}|\d[\d.]*[eE])/;

/** The largest double whose neighbours are all integers apart by one, and what 64 bits can hold at most. */
const exactLimit = 2 ** 53;
const longLimit = 2 ** 64;

/** Parses JSON without rounding integers of up to 64 bits. Costs a search of the text beside `JSON.parse`. */
export function parseExactJson(text: string): JsonValue {
  if (!hasLongNumber.test(text)) return JSON.parse(text) as JsonValue;
  const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;
  return parse(text, (_, value, { source }) => {
    if (typeof value !== "number" || source === undefined) return value;
    if (Math.abs(value) < exactLimit || Math.abs(value) > longLimit) return value;
    return integerOf(source) ?? value;
  }) as JsonValue;
}

/** `JSON.parse` gives the source of primitive values, which TypeScript's library does not know. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** The grammar of numbers in JSON. */
const number = /^(-?(?:0|[1-9]\d*))(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/;

/** The integer that a JSON number says, exactly; undefined where it says none, or one of more than 100 digits. */
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

/** True for the text of a number as JSON has it. */
export function isJsonNumber(text: string): boolean {
  return number.test(text);
}
