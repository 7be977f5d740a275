import type { JsonValue } from "@bufbuild/protobuf";

/**
 * True if a string or key of a JSON value contains a lone surrogate. No Protobuf string can hold one (they are UTF-8),
 * but a Struct would accept it and fail only when it is encoded.
 *
 * @param text the source of the value. If it was UTF-8, only an escape can produce a lone surrogate.
 */
export function hasLoneSurrogate(text: string, json: JsonValue): boolean {
  return /\\u[dD][89a-fA-F]/.test(text) && isIllFormed(json);
}

function isIllFormed(json: JsonValue): boolean {
  if (typeof json === "string") return !json.isWellFormed();
  if (typeof json !== "object" || json === null) return false;
  return Object.entries(json).some(([key, inner]) => !key.isWellFormed() || isIllFormed(inner));
}
