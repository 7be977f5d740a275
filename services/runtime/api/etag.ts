import { aborted } from "../errors.ts";

/** The etag of a resource at a version: opaque to callers, equal exactly when the version is (AIP-154). */
export function etagOf(version: number): string {
  return `"${version.toString(36)}"`;
}

/**
 * Throws ABORTED with reason ETAG_MISMATCH when the caller's etag is not the resource's present one.
 * An empty etag and `*` (the header `If-Match: *`) ask for no check; a weak etag (`W/"…"`) counts as the strong one.
 */
export function checkEtag(etag: string, version: number): void {
  if (etag === "" || etag === "*") {
    return;
  }
  const current = etagOf(version);
  if (etag.replace(/^W\//, "") !== current) {
    throw aborted("ETAG_MISMATCH", "the resource has changed since it was read; read it again", {
      metadata: { current_etag: current },
    });
  }
}
