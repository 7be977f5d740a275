import {
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { oneof as oneofRulesOption } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { FieldBehavior } from "../../gen/google/api/field_behavior_pb.js";
import { resource } from "../../gen/google/api/resource_pb.js";
import { fits } from "./rules/fits.ts";
import { rulesOf } from "./rules/rules.ts";
import { behaviorsOf, isRequired } from "./schemas.ts";

/** The use of an example: a whole request body, a partial update, or a response. */
export type ExampleUse = "request" | "patch" | "answer";

/**
 * Builds an example of a message, from the values of its `example` rules, or otherwise by type and name. A request
 * contains its required fields (or some optional ones if none is required), a response every field.
 *
 * @returns undefined if no valid value was found for a required field.
 */
export function exampleOf(
  message: DescMessage,
  use: ExampleUse,
  omit: readonly string[] = [],
  around: readonly DescMessage[] = [],
): JsonObject | undefined {
  // A recursive message is shown once.
  if (around.includes(message)) return undefined;
  const example: JsonObject = {};
  for (const field of chosenFields(message, use, omit)) {
    const value = exampleOfField(field, use, [...around, message]);
    if (value !== undefined) example[field.jsonName] = value;
    else if (isRequired(field)) return undefined;
  }
  return example;
}

/** The example of a whole response; not every message is an object in JSON. */
export function exampleOfResponse(message: DescMessage): JsonValue | undefined {
  return exampleOfMessage(message, "answer", []);
}

function chosenFields(message: DescMessage, use: ExampleUse, omit: readonly string[]): DescField[] {
  const has = (field: DescField, behavior: FieldBehavior): boolean => behaviorsOf(field).includes(behavior);
  const visible = message.fields.filter(
    (field) =>
      !omit.includes(field.name) &&
      !field.deprecated &&
      !has(field, use === "answer" ? FieldBehavior.INPUT_ONLY : FieldBehavior.OUTPUT_ONLY),
  );
  const isFirst = (field: DescField): boolean => field.oneof === undefined || field.oneof.fields[0] === field;
  if (use === "answer") return visible.filter(isFirst);
  if (use === "patch") {
    const isKey = (field: DescField): boolean => ["name", "etag"].includes(field.name);
    return visible
      .filter((field) => isFirst(field) && !isKey(field) && !has(field, FieldBehavior.IMMUTABLE))
      .slice(0, 2);
  }
  const needed = visible.filter((field) => isRequired(field) || hasExample(field) || isNeededChoice(field));
  return needed.length > 0 ? needed : visible.filter((field) => field.oneof === undefined).slice(0, 6);
}

function hasExample(field: DescField): boolean {
  return rulesOf(field).schema["examples"] !== undefined;
}

function isNeededChoice(field: DescField): boolean {
  const { oneof } = field;
  const isNeeded =
    oneof !== undefined && hasOption(oneof, oneofRulesOption) && getOption(oneof, oneofRulesOption).required;
  return isNeeded && oneof.fields[0] === field;
}

/** The example of one field; undefined if none was found. */
export function exampleOfField(
  field: DescField,
  use: ExampleUse,
  around: readonly DescMessage[] = [],
): JsonValue | undefined {
  const rules = rulesOf(field);
  switch (field.fieldKind) {
    case "list": {
      const item = exampleOfValue(field, rules.items ?? {}, use, around);
      const least = Number(rules.schema["minItems"] ?? 0);
      if (item === undefined) return least === 0 ? [] : undefined;
      return least > 1 && rules.schema["uniqueItems"] === true ? undefined : Array(Math.max(1, least)).fill(item);
    }
    case "map": {
      const key = field.mapKey === ScalarType.STRING ? "key" : field.mapKey === ScalarType.BOOL ? "true" : "1";
      const value = exampleOfValue(field, rules.values ?? {}, use, around);
      if (Number(rules.schema["minProperties"] ?? 0) > 1) return undefined;
      return value === undefined || !fits(key, rules.keys ?? {}) ? {} : { [key]: value };
    }
    default:
      return exampleOfValue(field, rules.schema, use, around);
  }
}

function exampleOfValue(
  field: DescField,
  rules: JsonObject,
  use: ExampleUse,
  around: readonly DescMessage[],
): JsonValue | undefined {
  const given = (rules["examples"] as JsonValue[] | undefined) ?? [];
  const allowed = [rules["const"], ...((rules["enum"] as JsonValue[] | undefined) ?? [])];
  const message = field.message;
  const made = message !== undefined ? [exampleOfMessage(message, use, around)] : candidates(field, rules);
  return [...given, ...allowed, ...made].find((value) => value !== undefined && fits(value, rules));
}

/** Candidate values for a field of this type, the most descriptive first. */
function candidates(field: DescField, rules: JsonObject): JsonValue[] {
  if (field.enum?.typeName === "google.protobuf.NullValue") return [null];
  if (field.enum !== undefined) {
    const [zero, ...others] = field.enum.values.map((value) => value.jsonName);
    return zero === undefined ? [] : [...others, zero];
  }
  switch (field.scalar) {
    case ScalarType.BOOL:
      return [true, false];
    case ScalarType.BYTES:
      return ["ZXhhbXBsZQ==", "", "AAAAAA==", "AAAAAAAAAAAAAAAAAAAAAA=="];
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return [1.5, ...numbers(rules)];
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return ["1", "0", "10", "100", "1000", "1000000", ...(isUnsigned(field.scalar) ? [] : ["-1", "-1000"])];
    case ScalarType.STRING:
      return texts(field, rules);
    default: {
      const [least, most] = isUnsigned(field.scalar) ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
      return numbers(rules).filter(
        (candidate) => Number.isInteger(candidate) && candidate >= least && candidate <= most,
      );
    }
  }
}

function isUnsigned(type: ScalarType | undefined): boolean {
  const unsigned = [ScalarType.UINT32, ScalarType.FIXED32, ScalarType.UINT64, ScalarType.FIXED64];
  return type !== undefined && unsigned.includes(type);
}

function numbers(rules: JsonObject): number[] {
  const limit = (keyword: string, away: number): number => Number(rules[keyword] ?? 1) + away;
  const limits = [
    limit("minimum", 0),
    limit("exclusiveMinimum", 1),
    limit("maximum", 0),
    limit("exclusiveMaximum", -1),
  ];
  return [1, ...limits, 0];
}

const known = ["ada@example.com", "https://example.com", "example", "EXAMPLE", "ABC", "EUR", "DE", "1", "2026-01-31"];
const formed = [
  "192.0.2.1",
  "2001:db8::1",
  "00000000-0000-4000-8000-000000000000",
  "192.0.2.0/24",
  "example.com:443",
  "",
];

/** Texts that describe the field's purpose, as far as its rules allow. */
function texts(field: DescField, rules: JsonObject): string[] {
  const words = field.name.replaceAll("_", " ");
  const choices = [rules, ...((rules["anyOf"] as JsonObject[] | undefined) ?? [])];
  const guesses = choices.flatMap(({ pattern }) => (typeof pattern === "string" ? [guess(pattern)] : []));
  const byName: Readonly<Record<string, string>> = { currency_code: "EUR", region_code: "DE", language_code: "en" };
  const given = hasOption(field.parent, resource) ? getOption(field.parent, resource).pattern[0] : undefined;
  const name = field.name === "name" && given !== undefined ? [given.replace(/\{[^}]*\}/g, "1")] : [];
  const least = Number(rules["minLength"] ?? 0);
  const url = field.name.endsWith("url") || field.name.endsWith("uri") ? ["https://example.com"] : [];
  const named = byName[field.name] ?? words;
  const most = Number(rules["maxLength"] ?? named.length);
  return [...name, ...url, ...guesses, named.slice(0, most), ...known, ...formed, "x".repeat(Math.min(least, 256))];
}

/** A text that matches a simple pattern: literals are kept, wildcards become a one. */
function guess(pattern: string): string {
  return pattern
    .replace(/^\^|\$$/g, "")
    .replace(/\[\^\/\](\{[^}]*\}|\+|\*)/g, "1")
    .replace(/\\([./-])/g, "$1");
}

function exampleOfMessage(
  message: DescMessage,
  use: ExampleUse,
  around: readonly DescMessage[],
): JsonValue | undefined {
  switch (message.typeName) {
    case "google.protobuf.Timestamp":
      return "2026-01-31T12:00:00Z";
    case "google.protobuf.Duration":
      return "3.5s";
    case "google.protobuf.FieldMask":
      return "note";
    case "google.type.Money":
      return { currencyCode: "EUR", units: "12", nanos: 500_000_000 };
    case "google.protobuf.Any":
      return { "@type": "type.googleapis.com/google.protobuf.Empty" };
    case "google.protobuf.ListValue":
      return [];
    case "google.protobuf.Value":
      return "value";
    default:
      if (/^google\.protobuf\.(String|Bytes)Value$/.test(message.typeName)) return "";
      if (/^google\.protobuf\.U?Int64Value$/.test(message.typeName)) return "1";
      if (message.typeName === "google.protobuf.BoolValue") return true;
      if (/^google\.protobuf\.\w+Value$/.test(message.typeName)) return 1;
      return exampleOf(message, use, [], around);
  }
}
