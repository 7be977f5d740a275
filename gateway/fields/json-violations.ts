import type { DescField, DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import { maxViolations } from "../call/violations.ts";
import { readProtoJson } from "../codec/proto-json.ts";
import type { Violation } from "../errors.ts";
import { hasJsonForm } from "./field-path.ts";

/** Maximum depth to inspect: the reader's own limit. */
const maxDepth = 100;

/** Options of {@link explainJson}. */
export interface ExplainOptions {
  readonly registry?: Registry | undefined;
  readonly ignoreUnknownFields?: boolean;
}

/**
 * Explains why a JSON value is not a valid message: every invalid field, with its path in JSON names and indices.
 *
 * Slow; intended for use after the reader has rejected the value. Always returns at least one violation.
 */
export function explainJson(desc: DescMessage, json: JsonValue, options: ExplainOptions = {}, at = ""): Violation[] {
  const violations: Violation[] = [];
  explainMessage(desc, json, at, 0);
  if (violations.length === 0) violations.push({ field: at, description: "is not valid" });
  return violations.slice(0, maxViolations);

  function explainMessage(message: DescMessage, value: JsonValue, path: string, depth: number): void {
    if (violations.length >= maxViolations) return;
    if (depth >= maxDepth) {
      violations.push({ field: "", description: `is nested more than ${maxDepth} levels deep` });
      return;
    }
    if (hasJsonForm(message)) {
      attempt(path, () => readProtoJson(message, value, readOptions(options)));
      return;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      violations.push({ field: path, description: `expected an object, got ${describe(value)}` });
      return;
    }
    const seen = new Map<DescField, string>();
    const oneofs = new Map<string, string>();
    for (const [key, inner] of Object.entries(value)) {
      if (violations.length >= maxViolations) return;
      const field = message.fields.find((candidate) => candidate.jsonName === key || candidate.name === key);
      if (field === undefined) {
        const extension = key.startsWith("[") && options.registry?.getExtension(key.slice(1, -1)) !== undefined;
        if (extension || options.ignoreUnknownFields === true) continue;
        violations.push({ field: join(path, key), description: "unknown field" });
        continue;
      }
      const fieldPath = join(path, field.jsonName);
      if (seen.has(field)) violations.push({ field: fieldPath, description: "is given more than once" });
      seen.set(field, key);
      if (field.oneof !== undefined && inner !== null) {
        const other = oneofs.get(field.oneof.name);
        if (other !== undefined) {
          violations.push({
            field: fieldPath,
            description: `the oneof "${field.oneof.name}" is already set by "${other}"`,
          });
        }
        oneofs.set(field.oneof.name, field.jsonName);
      }
      explainField(message, field, key, inner, fieldPath, depth);
    }
  }

  function explainField(
    message: DescMessage,
    field: DescField,
    key: string,
    value: JsonValue,
    path: string,
    depth: number,
  ): void {
    if (value === null && field.fieldKind !== "message") {
      attempt(path, () => readProtoJson(message, { [key]: value }, readOptions(options)));
      return;
    }
    switch (field.fieldKind) {
      case "message":
        if (value !== null) explainMessage(field.message, value, path, depth + 1);
        return;
      case "list":
        if (!Array.isArray(value)) {
          violations.push({ field: path, description: `expected an array, got ${describe(value)}` });
          return;
        }
        for (const [index, item] of value.entries()) {
          if (violations.length >= maxViolations) return;
          const itemPath = `${path}[${index}]`;
          if (field.listKind === "message" && item !== null) explainMessage(field.message, item, itemPath, depth + 1);
          else attempt(itemPath, () => readProtoJson(message, { [key]: [item] }, readOptions(options)));
        }
        return;
      case "map":
        if (typeof value !== "object" || value === null || Array.isArray(value)) {
          violations.push({ field: path, description: `expected an object, got ${describe(value)}` });
          return;
        }
        for (const [mapKey, item] of Object.entries(value)) {
          if (violations.length >= maxViolations) return;
          const itemPath = `${path}[${JSON.stringify(mapKey)}]`;
          if (field.mapKind === "message" && item !== null) explainMessage(field.message, item, itemPath, depth + 1);
          else attempt(itemPath, () => readProtoJson(message, { [key]: { [mapKey]: item } }, readOptions(options)));
        }
        return;
      default:
        attempt(path, () => readProtoJson(message, { [key]: value }, readOptions(options)));
    }
  }

  function attempt(path: string, read: () => unknown): void {
    if (violations.length >= maxViolations) return;
    try {
      read();
    } catch (error) {
      violations.push({ field: path, description: jsonReason(error) });
    }
  }
}

/** The reason of a JSON reader's error, without the library's type names. */
export function jsonReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^cannot decode \S+ \S+ from JSON:? ?/, "").replace(/^list item #\d+: /, "");
}

function readOptions(options: ExplainOptions): { registry?: Registry; ignoreUnknownFields: boolean } {
  return {
    ignoreUnknownFields: options.ignoreUnknownFields ?? false,
    ...(options.registry === undefined ? {} : { registry: options.registry }),
  };
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function describe(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  // Large integers are bigints here.
  return typeof value === "string" || typeof value === "boolean" ? `a ${typeof value}` : "a number";
}
