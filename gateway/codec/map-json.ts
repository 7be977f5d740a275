import type { DescExtension, DescField, DescMessage, JsonValue, Registry, ScalarType } from "@bufbuild/protobuf";
import { recursionLimit, wrappedScalar } from "./compile.ts";
import type { ExactJson } from "./exact-json.ts";

/** How the parts of a message's JSON are transformed. */
export interface JsonRules {
  /** Types of Any and extensions. */
  readonly registry: Registry | undefined;
  /** Maps a value of a scalar field, wrappers included. Never called for `null`. */
  scalar(type: ScalarType, value: ExactJson): JsonValue;
  /** Maps a value without fields: an enum, a Struct or an unknown field. */
  other(value: ExactJson, depth: number): JsonValue;
  /** Returns false to drop the field. */
  keeps(field: DescField | DescExtension, value: ExactJson): boolean;
  /** Returns false to drop a list element or a map entry. */
  keepsItem?(field: DescField | DescExtension, item: ExactJson): boolean;
  /** Validates a Timestamp. @throws Error for an invalid one. */
  checkTime?(value: ExactJson): void;
}

/**
 * Traverses the JSON of a message by its descriptor, with names in JSON or proto form, and transforms it by the rules.
 */
export function mapJson(desc: DescMessage, json: ExactJson, rules: JsonRules): JsonValue {
  const { registry, other } = rules;
  return messageJson(desc, json, 1);

  function messageJson(message: DescMessage, value: ExactJson, depth: number): JsonValue {
    // The library rejects deeper nesting.
    if (depth > recursionLimit + 1) return null;
    const wrapped = wrappedScalar(message);
    if (wrapped !== undefined) return value === null ? null : rules.scalar(wrapped, value);
    switch (message.typeName) {
      case "google.protobuf.Timestamp":
        rules.checkTime?.(value);
        return other(value, depth);
      case "google.protobuf.Any":
        return anyJson(value, depth);
      default:
        if (message.typeName.startsWith("google.protobuf.") && isCustom(message)) return other(value, depth);
    }
    if (!isObject(value)) return other(value, depth);
    const fields = Object.entries(value).flatMap(([key, inner]): [string, JsonValue][] => {
      const field = fieldOf(message, key);
      if (field === undefined) return [[key, other(inner, depth)]];
      return rules.keeps(field, inner) ? [[key, fieldJson(field, inner, depth)]] : [];
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
      return field.scalar === undefined || inner === null ? other(inner, depth) : rules.scalar(field.scalar, inner);
    };
    const kept = (inner: ExactJson): boolean => rules.keepsItem?.(field, inner) ?? true;
    if (field.fieldKind === "list" && Array.isArray(value)) return value.filter(kept).map(single);
    if (field.fieldKind === "map" && isObject(value)) {
      const entries = Object.entries(value).filter(([, inner]) => kept(inner));
      return Object.fromEntries(entries.map(([key, inner]) => [key, single(inner)]));
    }
    return field.fieldKind === "list" || field.fieldKind === "map" ? other(value, depth) : single(value);
  }

  function anyJson(value: ExactJson, depth: number): JsonValue {
    if (!isObject(value)) return other(value, depth);
    const { "@type": url, ...rest } = value;
    const type = typeof url === "string" ? registry?.getMessage(url.slice(url.lastIndexOf("/") + 1)) : undefined;
    if (type === undefined) return other(value, depth);
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

export function isObject(value: ExactJson): value is { readonly [key: string]: ExactJson } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
