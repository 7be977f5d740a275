import type { JsonObject } from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { narrow } from "./narrow.ts";
import { durationText, integerText, type OrderedText, timestampText } from "./ordered-text.ts";
import { ruleJson } from "./rule-json.ts";
import type { RuleSet, Translation } from "./rule-set.ts";

const sentences: Readonly<Record<string, string>> = {
  const: "Must be",
  gt: "Must be greater than",
  gte: "Must be at least",
  lt: "Must be less than",
  lte: "Must be at most",
  lt_now: "Must be in the past.",
  gt_now: "Must be in the future.",
  within: "Must be, from now, within",
  in: "Must be one of",
  not_in: "Must be none of",
};

/**
 * Translates the rules of integers, durations and times that JSON writes as text: patterns, with descriptive sentences
 * because such patterns are unreadable. Rules relative to the current time become sentences only.
 */
export function translateOrdered(kind: string, rules: RuleSet): Translation {
  const text = kind === "duration" ? durationText : kind === "timestamp" ? timestampText : integerText;
  const unitsOf = (value: unknown): bigint => {
    if (typeof value !== "object" || value === null) return BigInt(value as bigint | number);
    const { seconds, nanos } = value as Duration | Timestamp;
    return seconds * 1_000_000_000n + BigInt(nanos);
  };
  let schema = boundsOf(rules, text, unitsOf);
  if (text !== integerText) {
    const equal = (values: readonly unknown[]): string[] => values.map((value) => text.equal(unitsOf(value)));
    for (const [name, value] of rules) {
      if (name === "const") schema = narrow(schema, taking(equal([value]), text));
      if (name === "in") schema = narrow(schema, taking(equal(value as unknown[]), text));
      if (name === "not_in") schema = narrow(schema, { not: { pattern: anyOf(equal(value as unknown[])) } });
    }
  }
  return { schema, sentences: sentencesOf(kind, rules) };
}

/** If the upper bound is below the lower one, protovalidate accepts the values outside the two. */
function boundsOf(rules: RuleSet, text: OrderedText, unitsOf: (value: unknown) => bigint): JsonObject {
  const bound = (open: string, closed: string, step: bigint): { units: bigint; pattern: bigint } | undefined => {
    const [value, by] = rules.has(open) ? [rules.get(open), step] : [rules.get(closed), 0n];
    return value === undefined ? undefined : { units: unitsOf(value), pattern: unitsOf(value) + by };
  };
  const lower = bound("gt", "gte", 1n);
  const upper = bound("lt", "lte", -1n);
  const patterns = [
    ...(lower === undefined ? [] : [text.atLeast(lower.pattern)]),
    ...(upper === undefined ? [] : [text.atMost(upper.pattern)]),
  ];
  if (lower !== undefined && upper !== undefined && upper.units < lower.units) return taking(patterns, text);
  return patterns.map((pattern) => taking([pattern], text)).reduce(narrow, {});
}

function taking(patterns: readonly string[], { unordered }: OrderedText): JsonObject {
  return { pattern: anyOf(unordered === undefined ? patterns : [...patterns, unordered]) };
}

function anyOf(patterns: readonly string[]): string {
  return `^(?:${patterns.join("|")})$`;
}

function sentencesOf(kind: string, rules: RuleSet): string[] {
  const place = { kind, enum: undefined, isKey: true };
  return [...rules].flatMap(([name, value]) => {
    const words = sentences[name];
    if (words === undefined || value === false) return [];
    if (value === true) return [words];
    if (kind !== "duration" && kind !== "timestamp" && !(name in boundWords)) return [];
    const values = (Array.isArray(value) ? value : [value]).flatMap((item) => ruleJson(place, item));
    return [`${words} ${values.join(", ")}.`];
  });
}

/** Only the bounds of numbers need sentences: a list of values is also a list in JSON Schema. */
const boundWords: Readonly<Record<string, true>> = { gt: true, gte: true, lt: true, lte: true };
