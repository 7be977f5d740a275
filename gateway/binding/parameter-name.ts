import type { DescField, DescMessage } from "@bufbuild/protobuf";
import {
  type FieldPath,
  hasJsonForm,
  isFieldPath,
  maxPathLength,
  resolveFieldPath,
  type UnknownField,
} from "../fields/field-path.ts";

/** The field that a query parameter or form part refers to. */
export interface ParameterName {
  readonly path: FieldPath | UnknownField;
  /** The key in brackets after a map: `labels[key]`. */
  readonly key: string | undefined;
  /** Number of dot-separated names in the text. */
  readonly length: number;
}

/**
 * Resolves the field of a parameter: proto or JSON names separated by dots, and after a map its key in brackets.
 *
 * A JSON name may itself contain dots and brackets. The literal interpretation is tried first. If it names no field,
 * each step matches the longest name that is a prefix of the remaining text.
 */
export function resolveParameter(root: DescMessage, text: string): ParameterName {
  const plain = splitName(text);
  const path = resolveFieldPath(root, plain.names);
  const found = { path, key: plain.key, length: plain.names.length };
  if (isFieldPath(path) && (plain.key === undefined || path.leaf.fieldKind === "map")) return found;
  const odd = splitByFields(root, text);
  return odd === undefined ? found : { ...odd, path: resolveFieldPath(root, odd.names), length: odd.names.length };
}

/** `labels[a.b]` → names `labels`, key `a.b`; `a.b` → names `a`, `b`. */
function splitName(text: string): { names: string[]; key: string | undefined } {
  const open = text.indexOf("[");
  if (open === -1 || !text.endsWith("]")) return { names: text.split("."), key: undefined };
  return { names: text.slice(0, open).split("."), key: text.slice(open + 1, -1) };
}

function splitByFields(root: DescMessage, text: string): { names: string[]; key: string | undefined } | undefined {
  const names: string[] = [];
  let message = root;
  let rest = text;
  while (names.length < maxPathLength) {
    let longest: { field: DescField; name: string } | undefined;
    for (const field of message.fields) {
      for (const name of [field.name, field.jsonName]) {
        if (name.length <= (longest?.name.length ?? 0) || !rest.startsWith(name)) continue;
        if (canFollow(field, rest.slice(name.length))) longest = { field, name };
      }
    }
    if (longest === undefined) return undefined;
    names.push(longest.name);
    const after = rest.slice(longest.name.length);
    if (after === "") return { names, key: undefined };
    if (after.startsWith("[")) return { names, key: after.slice(1, -1) };
    if (longest.field.fieldKind !== "message") return undefined;
    message = longest.field.message;
    rest = after.slice(1);
  }
  return undefined;
}

function canFollow(field: DescField, rest: string): boolean {
  if (rest === "") return true;
  if (rest.startsWith("[")) return field.fieldKind === "map" && rest.endsWith("]");
  return rest.startsWith(".") && field.fieldKind === "message" && !hasJsonForm(field.message);
}
