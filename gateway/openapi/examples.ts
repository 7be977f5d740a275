import { type DescField, type DescMessage, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { FieldBehavior } from "../../gen/google/api/field_behavior_pb.js";
import { rulesOf } from "./rules.ts";
import { behaviorsOf, isRequired } from "./schemas.ts";

/**
 * A message as an example: the required fields (all writable ones, where none is required), with values from the
 * `example` rules where there are some, else made up by type and name.
 */
export function exampleOf(message: DescMessage, omit: readonly string[] = [], depth = 0): JsonObject {
  const writable = message.fields.filter(
    (field) => !omit.includes(field.name) && !behaviorsOf(field).includes(FieldBehavior.OUTPUT_ONLY),
  );
  const required = writable.filter((field) => isRequired(field) || hasExample(field));
  const chosen = required.length > 0 ? required : writable.filter((field) => field.oneof === undefined).slice(0, 6);
  const example: JsonObject = {};
  for (const field of chosen) {
    const value = exampleOfField(field, depth);
    if (value !== undefined) example[field.jsonName] = value;
  }
  return example;
}

function hasExample(field: DescField): boolean {
  return rulesOf(field).schema["examples"] !== undefined;
}

function exampleOfField(field: DescField, depth: number): JsonValue | undefined {
  if (depth > 4) return undefined;
  const rules = rulesOf(field);
  if (field.fieldKind === "list") {
    const item = exampleOfValue(field, rules.items ?? {}, depth);
    return item === undefined ? [] : [item];
  }
  if (field.fieldKind === "map") return { key: exampleOfValue(field, rules.values ?? {}, depth) ?? "" };
  return exampleOfValue(field, rules.schema, depth);
}

function exampleOfValue(field: DescField, rules: JsonObject, depth: number): JsonValue | undefined {
  const [given] = (rules["examples"] as JsonValue[] | undefined) ?? [];
  if (given !== undefined) return given;
  if (rules["const"] !== undefined) return rules["const"];
  const [allowed] = (rules["enum"] as JsonValue[] | undefined) ?? [];
  if (allowed !== undefined) return allowed;
  if (field.enum !== undefined) return (field.enum.values[1] ?? field.enum.values[0])?.jsonName ?? "";
  if (field.message !== undefined) return exampleOfMessage(field.message, depth);
  switch (field.scalar) {
    case ScalarType.STRING:
      return exampleText(field, rules);
    case ScalarType.BOOL:
      return true;
    case ScalarType.BYTES:
      return "ZXhhbXBsZQ==";
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return 1.5;
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return "1";
    default:
      return Number(rules["minimum"] ?? 1) || 1;
  }
}

function exampleOfMessage(message: DescMessage, depth: number): JsonValue {
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
    default:
      if (/^google\.protobuf\.(String|Bytes)?Value$/.test(message.typeName)) return "";
      if (/^google\.protobuf\.U?Int64Value$/.test(message.typeName)) return "1";
      if (/^google\.protobuf\.Bool?Value$/.test(message.typeName)) return true;
      if (/^google\.protobuf\.\w+Value$/.test(message.typeName)) return 1;
      return exampleOf(message, [], depth + 1);
  }
}

/** A text that says what it is for; one that a pattern or a format refuses is left to those who write an `example`. */
function exampleText(field: DescField, rules: JsonObject): string {
  if (rules["format"] === "email") return "ada@example.com";
  if (rules["format"] === "uri") return "https://example.com";
  if (field.name === "currency_code") return "EUR";
  if (field.name === "region_code") return "DE";
  const pattern = rules["pattern"];
  if (typeof pattern === "string") {
    const guess = pattern.replace(/^\^|\$$/g, "").replace(/\[\^\/\](\{[^}]*\}|\+|\*)/g, "1");
    if (matches(pattern, guess)) return guess;
    for (const text of ["example", "EXAMPLE", "ABC", "EUR", "DE", "1", "2026-01-31", ""]) {
      if (matches(pattern, text)) return text;
    }
  }
  const most = Number(rules["maxLength"] ?? 64);
  return field.name.replaceAll("_", " ").slice(0, most);
}

function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return false;
  }
}
