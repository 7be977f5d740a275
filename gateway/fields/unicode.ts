import type { JsonValue } from "@bufbuild/protobuf";

/**
 * True where a string or a key of a JSON value holds half a surrogate pair, which no Protobuf string can (they are
 * UTF-8) but a Struct's would until somebody writes it to the wire.
 *
 * @param text that the value was parsed from. Only an escape of it can make half a pair, as long as it was UTF-8.
 */
export function hasLoneSurrogate(text: string, json: JsonValue): boolean {
  return /\\u[dD][89a-fA-F]/.test(text) && isIllFormed(json);
}

function isIllFormed(json: JsonValue): boolean {
  if (typeof json === "string") return !json.isWellFormed();
  if (typeof json !== "object" || json === null) return false;
  return Object.entries(json).some(([key, inner]) => !key.isWellFormed() || isIllFormed(inner));
}
