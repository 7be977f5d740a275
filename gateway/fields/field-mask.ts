import type { DescField, DescMessage, JsonValue } from "@bufbuild/protobuf";
import { hasJsonForm, isFieldPath, resolveFieldPath } from "./field-path.ts";

/** The FieldMask field of a request that has exactly one. */
export function maskFieldOf(request: DescMessage): DescField | undefined {
  const masks = request.fields.filter(
    (field) => field.fieldKind === "message" && field.message.typeName === "google.protobuf.FieldMask",
  );
  return masks.length === 1 ? masks[0] : undefined;
}

/**
 * Parses the paths of a comma-separated mask to proto names. A JSON name becomes a proto name if `resource`, the
 * message that the mask applies to, has such a field, or if it is plain lowerCamelCase. Names without a JSON form, such
 * as `STATUS` or `en_GB`, are unchanged.
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
 * The sorted leaf paths of a JSON body, in proto names. `null` counts (it clears the field); a map, a repeated field
 * and a well-known type with its own JSON form each count as one leaf.
 */
export function pathsOf(resource: DescMessage, body: JsonValue): string[] {
  const paths: string[] = [];
  collect(resource, body, "", paths);
  return [...new Set(paths)].sort();
}

function collect(message: DescMessage, value: JsonValue, prefix: string, paths: string[]): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    const field = message.fields.find((candidate) => candidate.jsonName === key || candidate.name === key);
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
