import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

const atLeast = new Set(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"]);
const atMost = new Set(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"]);

/**
 * The intersection of two schemas: of two bounds the narrower one is kept, any other keyword in both goes to `allOf`,
 * and the remaining ones are merged (also beside a `$ref`, which 3.1 allows).
 *
 * Alternatives repeat their type, because client generators look at each one separately.
 */
export function narrow(schema: JsonObject, by: JsonObject): JsonObject {
  const narrowed = only(schema, by["type"]);
  const { type } = narrowed;
  const apart: JsonObject = {};
  const parts: JsonValue[] = [];
  for (const [keyword, value] of Object.entries(by)) {
    const before = narrowed[keyword];
    if (keyword === "allOf") parts.push(...(value as JsonValue[]));
    else if (before === undefined) narrowed[keyword] = keyword === "anyOf" ? typed(value as JsonObject[], type) : value;
    else if (atLeast.has(keyword)) narrowed[keyword] = Math.max(Number(before), Number(value));
    else if (atMost.has(keyword)) narrowed[keyword] = Math.min(Number(before), Number(value));
    else if (JSON.stringify(before) !== JSON.stringify(value)) apart[keyword] = value;
  }
  if (Object.keys(apart).length > 0) parts.unshift(apart);
  if (parts.length === 0) return narrowed;
  const all = (narrowed["allOf"] as JsonValue[] | undefined) ?? [];
  return { ...narrowed, allOf: [...all, ...typed(parts as JsonObject[], type)] };
}

function typed(parts: readonly JsonObject[], type: JsonValue | undefined): JsonObject[] {
  if (typeof type !== "string") return [...parts];
  return parts.map((part) => ("type" in part || "$ref" in part ? part : { type, ...part }));
}

/** Selects the matching alternative from a choice between types. */
function only(schema: JsonObject, type: JsonValue | undefined): JsonObject {
  const { anyOf, ...rest } = schema;
  if (type === undefined || !Array.isArray(anyOf)) return { ...schema };
  const [left, ...more] = (anyOf as JsonObject[]).filter((choice) => choice["type"] === type);
  return left === undefined || more.length > 0 ? { ...schema } : { ...rest, ...left };
}

/** The schema, or null. */
export function nullable(schema: JsonObject): JsonObject {
  const { type, enum: allowed } = schema;
  if (typeof type === "string" && ["const", "anyOf", "allOf", "$ref"].every((keyword) => !(keyword in schema))) {
    return { ...schema, type: [type, "null"], ...(Array.isArray(allowed) ? { enum: [...allowed, null] } : {}) };
  }
  if (Array.isArray(type) && type.includes("null")) return schema;
  return Object.keys(schema).some((keyword) => keyword !== "description")
    ? { anyOf: [schema, { type: "null" }] }
    : schema;
}
