import {
  type Condition,
  checkFilter,
  type FieldCondition,
  type FilterFieldType,
  type Operator,
} from "../api/filter-checker.ts";

/** A value to compare: times are epoch milliseconds, booleans 0 and 1. */
export type FilterValueOf = string | number | bigint | undefined;

/** A filterable field of an object, with its accessor. */
export type MatchFilterField<T> = FilterFieldType & {
  /** Returns the value, undefined if absent; for maps the value under the key; for repeated fields all values. */
  get: (object: T, key: string) => FilterValueOf | readonly FilterValueOf[];
};

/**
 * Evaluates an AIP-160 filter on objects in memory, as a reference for SQL; a blank one matches everything. It agrees
 * with `compileFilter` on rows of the same values.
 *
 * @throws ConnectError INVALID_ARGUMENT, reason INVALID_FILTER, as `checkFilter` does.
 */
export function createFilterMatcher<T>(
  filter: string,
  fields: Readonly<Record<string, MatchFilterField<T>>>,
): (object: T) => boolean {
  const condition = checkFilter(filter, fields);
  return condition ? (object) => matches(condition, object, fields) : () => true;
}

function matches<T>(condition: Condition, object: T, fields: Readonly<Record<string, MatchFilterField<T>>>): boolean {
  switch (condition.kind) {
    case "and":
      return condition.operands.every((operand) => matches(operand, object, fields));
    case "or":
      return condition.operands.some((operand) => matches(operand, object, fields));
    case "not":
      return !matches(condition.operand, object, fields);
    default: {
      const found = fields[condition.field]?.get(object, condition.key ?? "");
      const values = isList(found) ? found : [found];
      return values.some((value) => value !== undefined && holds(condition, value));
    }
  }
}

function holds(condition: FieldCondition, value: string | number | bigint): boolean {
  switch (condition.kind) {
    case "present":
      return true;
    case "pattern":
      return matchesParts(String(value), condition.parts);
    case "compare":
      return compares(condition.operator, order(value, condition.value));
    default:
      return condition satisfies never;
  }
}

function compares(operator: Operator, difference: number): boolean {
  switch (operator) {
    case "=":
      return difference === 0;
    case "!=":
      return difference !== 0;
    case "<":
      return difference < 0;
    case "<=":
      return difference <= 0;
    case ">":
      return difference > 0;
    case ">=":
      return difference >= 0;
    default:
      return operator satisfies never;
  }
}

/** Compares values, texts by code point as databases do; JavaScript compares UTF-16 units. */
function order(a: string | number | bigint, b: string | number | bigint): number {
  if (typeof a === "string" && typeof b === "string") {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

function matchesParts(text: string, parts: readonly string[]): boolean {
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) {
    return false;
  }
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) {
      return false;
    }
    at = found + part.length;
  }
  return at <= text.length - last.length;
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}
