/**
 * Decodes one path segment exactly once: `p%20q%2Fr` → `p q/r`, `%252F` → `%2F`. A plus is literal.
 *
 * @throws URIError for malformed percent-encoding or bytes that are not UTF-8.
 */
export function decodeSegment(raw: string): string {
  return raw.includes("%") ? decodeURIComponent(raw) : raw;
}

/**
 * Decodes the value of a multi-segment variable except `%2F`, which is kept as written so that slashes within a segment
 * remain distinct from segment separators.
 *
 * @throws URIError for malformed percent-encoding or bytes that are not UTF-8.
 */
export function decodeSegments(raw: string): string {
  if (!raw.includes("%")) return raw;
  return raw
    .split(/(%2[Ff])/)
    .map((part, index) => (index % 2 === 1 ? part : decodeURIComponent(part)))
    .join("");
}

/**
 * Decodes a multi-segment variable under `fully_decode_reserved_expansion` of a service configuration: `%2F` is decoded
 * too, unless the variable matched a single segment (google/api/http.proto).
 *
 * @throws URIError
 */
export function decodeSegmentsFully(raw: string): string {
  return raw.includes("/") ? decodeURIComponent(raw) : decodeSegments(raw);
}

/**
 * Decodes a name or value of a query string: percent-encoding, and a plus is a space.
 *
 * @throws URIError for malformed percent-encoding or bytes that are not UTF-8.
 */
export function decodeQuery(raw: string): string {
  const spaced = raw.includes("+") ? raw.replaceAll("+", " ") : raw;
  return spaced.includes("%") ? decodeURIComponent(spaced) : spaced;
}
