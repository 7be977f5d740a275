import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** True if a value of the right type satisfies the keywords generated from rules; other keywords are ignored. */
export function fits(value: JsonValue, schema: JsonObject): boolean {
  return Object.entries(schema).every(([keyword, limit]) => keeps(value, keyword, limit));
}

function keeps(value: JsonValue, keyword: string, limit: JsonValue): boolean {
  const schemas = limit as JsonObject[];
  switch (keyword) {
    case "const":
      return value === limit;
    case "enum":
      return (limit as JsonValue[]).includes(value);
    case "not":
      return !fits(value, limit as JsonObject);
    case "allOf":
      return schemas.every((schema) => fits(value, schema));
    case "anyOf":
      return schemas.some((schema) => fits(value, schema));
    case "type":
      return limit !== "number" || typeof value === "number";
    case "properties":
      return Object.entries(limit as JsonObject).every(([name, schema]) => {
        const inner = typeof value === "object" && !Array.isArray(value) ? value?.[name] : undefined;
        return inner === undefined || fits(inner, schema as JsonObject);
      });
    default:
      if (typeof value === "string") return keepsText(value, keyword, limit);
      return typeof value !== "number" || keepsNumber(value, keyword, Number(limit));
  }
}

function keepsText(value: string, keyword: string, limit: JsonValue): boolean {
  switch (keyword) {
    case "pattern":
      return new RegExp(String(limit), "u").test(value);
    case "minLength":
      return [...value].length >= Number(limit);
    case "maxLength":
      return [...value].length <= Number(limit);
    default:
      return true;
  }
}

function keepsNumber(value: number, keyword: string, limit: number): boolean {
  switch (keyword) {
    case "minimum":
      return value >= limit;
    case "maximum":
      return value <= limit;
    case "exclusiveMinimum":
      return value > limit;
    case "exclusiveMaximum":
      return value < limit;
    default:
      return true;
  }
}
