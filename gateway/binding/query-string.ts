import { create, type DescField, type DescMessage, type JsonValue, type Message } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { maxViolations } from "../call/violations.ts";
import type { Violation } from "../errors.ts";
import { parseMask } from "../fields/field-mask.ts";
import {
  containerOf,
  type FieldPath,
  type Fields,
  hasJsonForm,
  isFieldPath,
  jsonNameOf,
  maxPathLength,
  setFromJson,
} from "../fields/field-path.ts";
import { decodeQuery } from "../fields/percent-encoding.ts";
import { parseText } from "../fields/scalar-text.ts";
import { resolveParameter } from "./parameter-name.ts";

/** Which fields of a route the query string may set. */
export interface QueryRules {
  readonly root: DescMessage;
  /**
   * Paths (proto names) set by the URL path or the body. The query may set neither these fields nor any field below
   * them.
   */
  readonly bound: readonly string[];
  /** The message that a FieldMask of the request applies to, if known: the type of the body. */
  readonly resource?: DescMessage | undefined;
  /** Drops parameters that name no field instead of reporting a violation. */
  readonly ignoreUnknown: boolean;
  /** Parameters that are dropped when they name no field. */
  readonly allowed?: ReadonlySet<string>;
}

/**
 * Sets the fields of a raw query string (without `?`) on the message.
 *
 * Names are in proto or JSON form, which may be mixed along a path. Repeated fields repeat the parameter; maps use
 * `field[key]`.
 *
 * @returns the violations, up to {@link maxViolations}. Valid parameters before them are set regardless.
 */
export function bindQuery(target: Message, rawQuery: string, rules: QueryRules): Violation[] {
  const violations: Violation[] = [];
  if (rawQuery === "") return violations;
  const seen = new Set<string>();
  for (const pair of rawQuery.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const rawName = equals === -1 ? pair : pair.slice(0, equals);
    let name = rawName;
    let text: string;
    try {
      name = decodeQuery(rawName);
      text = decodeQuery(equals === -1 ? "" : pair.slice(equals + 1));
    } catch {
      violations.push({ field: name, description: "malformed percent-encoding" });
      continue;
    }
    const violation = bindParameter(target, name, text, rules, seen);
    if (violation !== undefined) violations.push(violation);
    if (violations.length >= maxViolations) break;
  }
  return violations;
}

function bindParameter(
  target: Message,
  name: string,
  text: string,
  rules: QueryRules,
  seen: Set<string>,
): Violation | undefined {
  const { path, key, length } = resolveParameter(rules.root, name);
  if (!isFieldPath(path)) {
    return rules.allowed?.has(name) === true || (rules.ignoreUnknown && length <= maxPathLength)
      ? undefined
      : { field: name, description: `unknown query parameter: ${path.description}` };
  }
  const { leaf } = path;
  const fail = (description: string): Violation => ({ field: jsonNameOf(path), description });
  const binder = rules.bound.find((bound) => path.name === bound || path.name.startsWith(`${bound}.`));
  if (binder !== undefined) return fail("is set by the path or by the body, not by the query");
  if (key !== undefined && leaf.fieldKind !== "map") return fail("is not a map");

  const json = parameterValue(path, key, text);
  if ("description" in json) return fail(json.description);

  const once = leaf.fieldKind === "map" ? `${path.name}[${key}]` : path.name;
  if (leaf.fieldKind !== "list" && seen.has(once)) return fail("is given more than once");
  seen.add(once);

  const found = containerOf(target, path);
  if ("oneof" in found) return fail(`the oneof "${found.oneof}" is already set by "${found.held}"`);
  if (isMask(leaf)) {
    const mask = create(FieldMaskSchema, { paths: parseMask(text, rules.resource) });
    (found.container as unknown as Fields)[leaf.localName] = mask;
    return undefined;
  }
  try {
    setFromJson(found.container, leaf, json.json);
  } catch (error) {
    return fail(`${JSON.stringify(text.slice(0, 40))} is not valid: ${reason(error)}`);
  }
  return undefined;
}

function parameterValue(
  path: FieldPath,
  key: string | undefined,
  text: string,
): { json: JsonValue } | { description: string } {
  const { leaf } = path;
  switch (leaf.fieldKind) {
    case "list": {
      if (isMessageOfFields(leaf)) return { description: "is a repeated message and cannot be set by the query" };
      const item = parseText(leaf, text);
      return "json" in item ? { json: [item.json] } : item;
    }
    case "map": {
      if (key === undefined) return { description: `is a map: set it as ${jsonNameOf(path)}[key]=value` };
      if (isMessageOfFields(leaf)) return { description: "is a map of messages and cannot be set by the query" };
      const value = parseText(leaf, text);
      return "json" in value ? { json: { [key]: value.json } } : value;
    }
    default:
      return parseText(leaf, text);
  }
}

/** JSON allows only lowerCamelCase in masks; the query accepts every name a field can have. */
function isMask(field: DescField): boolean {
  return (
    field.fieldKind === "message" && field.oneof === undefined && field.message.typeName === FieldMaskSchema.typeName
  );
}

function isMessageOfFields(field: DescField): boolean {
  return field.message !== undefined && !hasJsonForm(field.message);
}

/** The innermost reason of a JSON error from the library, without the library's type names. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^cannot decode .*? from JSON:? ?/, "");
}
