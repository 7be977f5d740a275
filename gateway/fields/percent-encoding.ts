/**
 * Decodes one path segment, whole and once: `p%20q%2Fr` → `p q/r`, `%252F` → `%2F`. A plus stays a plus.
 *
 * @throws URIError on malformed percent-encoding or on bytes that are not UTF-8.
 */
export function decodeSegment(raw: string): string {
  return raw.includes("%") ? decodeURIComponent(raw) : raw;
}

/**
 * Decodes the value of a variable that takes several segments: everything but `%2F`, which stays as it was
 * written, so that a slash inside a segment and one between segments can be told apart.
 *
 * @throws URIError on malformed percent-encoding or on bytes that are not UTF-8.
 */
export function decodeSegments(raw: string): string {
  if (!raw.includes("%")) return raw;
  return raw
    .split(/(%2[Ff])/)
    .map((part, index) => (index % 2 === 1 ? part : decodeURIComponent(part)))
    .join("");
}

/**
 * The same where a service configuration has `fully_decode_reserved_expansion`: `%2F` is decoded too, unless the
 * variable took a single segment (google/api/http.proto).
 *
 * @throws URIError
 */
export function decodeSegmentsFully(raw: string): string {
  return raw.includes("/") ? decodeURIComponent(raw) : decodeSegments(raw);
}

/**
 * Decodes a name or a value of a query string: percent-encoding, and a plus is a space.
 *
 * @throws URIError on malformed percent-encoding or on bytes that are not UTF-8.
 */
export function decodeQuery(raw: string): string {
  const spaced = raw.includes("+") ? raw.replaceAll("+", " ") : raw;
  return spaced.includes("%") ? decodeURIComponent(spaced) : spaced;
}
