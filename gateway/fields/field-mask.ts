import type { DescField, DescMessage, JsonValue } from "@bufbuild/protobuf";
import { hasJsonForm, isFieldPath, resolveFieldPath } from "./field-path.ts";

/** The one FieldMask field of a request, where it has exactly one. */
export function maskFieldOf(request: DescMessage): DescField | undefined {
  const masks = request.fields.filter(
    (field) => field.fieldKind === "message" && field.message.typeName === "google.protobuf.FieldMask",
  );
  return masks.length === 1 ? masks[0] : undefined;
}

/**
 * The paths of a mask that is written as text, between commas, in proto names. JSON names become proto names where
 * `resource`, the message that the mask is about, has such a field, or where they are plain lowerCamelCase; names that
 * JSON has no form for, such as `STATUS` or `en_GB`, stay as they are.
 */
export function parseMask(text: string, resource: DescMessage | undefined): string[] {
  const paths = text.split(",").filter((path) => path !== "");
  return paths.map((path) => {
    const found = resource && resolveFieldPath(resource, path.split("."));
    if (found !== undefined && isFieldPath(found)) return found.name;
    return path
      .split(".")
      .map((name) =>
        /^[a-z][A-Za-z0-9]*$/.test(name) ? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : name,
      )
      .join(".");
  });
}

/**
 * The leaf paths that a JSON body names, in proto names, sorted: `null` counts (it clears), and a map, a repeated
 * field and a well-known type with a JSON form of its own count whole.
 */
export function pathsOf(resource: DescMessage, body: JsonValue): string[] {
  const paths: string[] = [];
  collect(resource, body, "", paths);
  return [...new Set(paths)].sort();
}

function collect(message: DescMessage, value: JsonValue, prefix: string, paths: string[]): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    const field = message.fields.find((each) => each.jsonName === key || each.name === key);
    if (field === undefined) continue;
    const path = `${prefix}${field.name}`;
    const nested =
      field.fieldKind === "message" &&
      !hasJsonForm(field.message) &&
      typeof inner === "object" &&
      inner !== null &&
      Object.keys(inner).length > 0;
    if (nested) collect(field.message, inner, `${path}.`, paths);
    else paths.push(path);
  }
}
