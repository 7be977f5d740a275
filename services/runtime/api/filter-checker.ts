import { filterError } from "./filter-lexer.ts";
import { type Filter, parseFilter, type Restriction } from "./filter-parser.ts";

/**
 * Type of a filterable field. A `map` maps text to text. A `repeated` field has any number of values; a comparison
 * holds if it holds for one of them.
 */
export type FilterFieldType = { repeated?: boolean } & (
  | { type: "string" | "timestamp" | "int" | "bool" | "map" }
  /** Stored values by their public names. */
  | { type: "enum"; values: Readonly<Record<string, string | number>> }
);

/** A type-checked filter with converted values. */
export type Condition =
  | { kind: "and" | "or"; operands: readonly Condition[] }
  | { kind: "not"; operand: Condition }
  | FieldCondition;

/** A condition on one field. A field without a value matches none. */
export type FieldCondition = FieldRef &
  (
    | { kind: "present" }
    /** The literal parts between wildcards. */
    | { kind: "pattern"; parts: readonly string[] }
    | { kind: "compare"; operator: Operator; value: string | number | bigint }
  );

export type Operator = "=" | "!=" | "<" | "<=" | ">" | ">=";

interface FieldRef {
  field: string;
  /** The map key, for map fields. */
  key?: string;
}

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

/**
 * Parses and type-checks a filter against the fields of a list; undefined for a blank filter. Nested fields are named
 * with dots, such as `customer.id`. Values are converted to their comparable form: times to epoch milliseconds,
 * booleans to 0 and 1, enums to their stored value.
 *
 * @throws ConnectError INVALID_ARGUMENT, reason INVALID_FILTER, with the column and the allowed alternatives.
 */
export function checkFilter(filter: string, fields: Readonly<Record<string, FilterFieldType>>): Condition | undefined {
  const tree = parseFilter(filter);
  return tree && checkNode(filter, tree, fields);
}

function checkNode(filter: string, node: Filter, fields: Readonly<Record<string, FilterFieldType>>): Condition {
  switch (node.kind) {
    case "and":
    case "or":
      return { kind: node.kind, operands: node.operands.map((operand) => checkNode(filter, operand, fields)) };
    case "not":
      return { kind: "not", operand: checkNode(filter, node.operand, fields) };
    case "restriction":
      return checkRestriction(filter, node, fields);
    default:
      return node satisfies never;
  }
}

function checkRestriction(
  filter: string,
  node: Restriction,
  fields: Readonly<Record<string, FilterFieldType>>,
): Condition {
  const found = findField(node.field, fields);
  if (!found) {
    const allowed = Object.entries(fields).map(([name, { type }]) => (type === "map" ? `${name}.KEY` : name));
    return filterError(
      filter,
      node.at.field,
      `unknown field ${node.field.join(".")}; known fields: ${allowed.join(", ")}`,
    );
  }
  const { ref, field } = found;
  const { comparator, value } = node;
  const wrong = (problem: string) => filterError(filter, node.at.value, `${ref.field} ${problem}`);
  const operator = comparator === ":" ? "=" : comparator;

  if (field.type === "map" && ref.key === undefined) {
    if (comparator !== ":" || value.parts.length > 1) {
      return filterError(
        filter,
        node.at.field,
        `${ref.field} is a map: write ${ref.field}.KEY = VALUE or ${ref.field}:KEY`,
      );
    }
    return { kind: "present", field: ref.field, key: value.parts.join("") };
  }
  if (comparator === ":" && value.parts.join("*") === "*" && value.parts.length === 2) {
    return { kind: "present", ...ref };
  }
  if (operator === "!=" && field.repeated) {
    return { kind: "not", operand: checkRestriction(filter, { ...node, comparator: "=" }, fields) };
  }
  if (value.parts.length > 1) {
    return field.type === "string" || field.type === "map"
      ? checkPattern(ref, operator, value.parts, wrong)
      : wrong("does not support wildcards");
  }
  return checkComparison(ref, field, operator, value.parts.join(""), wrong);
}

function checkPattern(
  ref: FieldRef,
  operator: Operator,
  parts: readonly string[],
  wrong: (problem: string) => never,
): Condition {
  const pattern: Condition = { kind: "pattern", ...ref, parts };
  switch (operator) {
    case "=":
      return pattern;
    case "!=":
      return {
        kind: "and",
        operands: [
          { kind: "present", ...ref },
          { kind: "not", operand: pattern },
        ],
      };
    default:
      return wrong(`${operator} does not support wildcards; a literal * is written \\*`);
  }
}

function checkComparison(
  ref: FieldRef,
  field: FilterFieldType,
  operator: Operator,
  text: string,
  wrong: (problem: string) => never,
): Condition {
  const equality = operator === "=" || operator === "!=";
  switch (field.type) {
    case "string":
    case "map":
      return { kind: "compare", ...ref, operator, value: text };
    case "enum": {
      const value = Object.hasOwn(field.values, text) ? field.values[text] : undefined;
      if (value === undefined) {
        return wrong(`cannot be ${text}; it must be one of ${Object.keys(field.values).join(", ")}`);
      }
      return equality
        ? { kind: "compare", ...ref, operator, value }
        : wrong("cannot be ordered; compare it with = or !=");
    }
    case "bool":
      if (text !== "true" && text !== "false") {
        return wrong("must be true or false");
      }
      return equality
        ? { kind: "compare", ...ref, operator, value: text === "true" ? 1 : 0 }
        : wrong("cannot be ordered; compare it with = or !=");
    case "int": {
      const number = parseDecimal(text) ?? wrong("must be a whole number within 64 bits");
      return compareInteger(ref, operator, number);
    }
    case "timestamp": {
      const time = parseTimestamp(text) ?? wrong('must be an RFC 3339 time, such as "2026-01-31T09:30:00Z"');
      return compareInteger(ref, operator, time);
    }
    default:
      return field satisfies never;
  }
}

function findField(
  path: readonly string[],
  fields: Readonly<Record<string, FilterFieldType>>,
): { ref: FieldRef; field: FilterFieldType } | undefined {
  const own = (name: string) => (Object.hasOwn(fields, name) ? fields[name] : undefined);
  const field = path.join(".");
  const whole = own(field);
  if (whole) {
    return { ref: { field }, field: whole };
  }
  for (let length = path.length - 1; length > 0; length--) {
    const name = path.slice(0, length).join(".");
    const map = own(name);
    if (map?.type === "map") {
      return { ref: { field: name, key: path.slice(length).join(".") }, field: map };
    }
  }
  return undefined;
}

/** An integer bound. For a fractional number, `floor` is the next lower integer and `exact` is false. */
interface Integer {
  floor: bigint;
  exact: boolean;
}

function compareInteger(ref: FieldRef, operator: Operator, { floor, exact }: Integer): Condition {
  const compare = (actual: Operator): Condition => ({ kind: "compare", ...ref, operator: actual, value: floor });
  if (exact) {
    return compare(operator);
  }
  switch (operator) {
    case "=":
      return { kind: "or", operands: [] };
    case "!=":
      return { kind: "present", ...ref };
    case ">":
    case ">=":
      return compare(">");
    case "<":
    case "<=":
      return compare("<=");
    default:
      return operator satisfies never;
  }
}

function parseDecimal(text: string): Integer | undefined {
  const [, sign, whole, fraction] = /^([+-]?)(\d{1,19})(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined) {
    return undefined;
  }
  const exact = /^0*$/.test(fraction ?? "");
  const floor = sign === "-" ? -BigInt(whole) - (exact ? 0n : 1n) : BigInt(whole);
  return floor < MIN_INT64 || floor > MAX_INT64 ? undefined : { floor, exact };
}

/** Epoch milliseconds of an RFC 3339 timestamp, or of a date (midnight UTC). */
function parseTimestamp(text: string): Integer | undefined {
  const pattern = /^(\d{4}-\d{2}-(\d{2}))(?:[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2}))?$/;
  const [, date, day, time = "00:00:00", fraction = "", zone = "Z"] = pattern.exec(text) ?? [];
  const startOfDay = new Date(`${date}T00:00:00Z`);
  const ms = Date.parse(`${date}T${time}.${fraction.slice(0, 3).padEnd(3, "0")}${zone.toUpperCase()}`);
  if (Number.isNaN(ms) || startOfDay.getUTCDate() !== Number(day) || time.startsWith("24")) {
    return undefined;
  }
  return { floor: BigInt(ms), exact: /^0*$/.test(fraction.slice(3)) };
}
