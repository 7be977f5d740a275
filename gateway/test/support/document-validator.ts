import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

/**
 * Validates values against schemas of an OpenAPI document, each identified by its JSON pointer; returns the violations.
 * Rejects properties unknown to the document.
 */
export function createDocumentValidator(document: JsonObject): (pointer: string, value: JsonValue) => string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
  addFormats.default(ajv);
  for (const format of ["uint64", "field-mask", "duration-seconds", "binary"]) ajv.addFormat(format, true);
  ajv.addSchema({ $id: "openapi", ...(closed(document) as JsonObject) });
  const compiled = new Map<string, ValidateFunction>();
  return (pointer, value) => {
    let validate = compiled.get(pointer);
    if (validate === undefined) {
      validate = ajv.compile({ $ref: `openapi#${encodeURI(pointer)}` });
      compiled.set(pointer, validate);
    }
    return validate(value) ? [] : (validate.errors ?? []).map(describe);
  };
}

/** Escapes a name as a part of a JSON pointer. */
export function toPointer(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

function describe({ instancePath, message, params }: ErrorObject): string {
  return `${instancePath} ${message} ${JSON.stringify(params)}`;
}

/** The document with every object schema closed that has properties and does not declare whether it is open. */
function closed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== "object" || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, closed(inner)]));
  const isOpen = copy["type"] === "object" && copy["properties"] !== undefined && !("additionalProperties" in copy);
  return isOpen ? { ...copy, additionalProperties: false } : copy;
}
