import { aborted } from "../errors.ts";

/** The etag of a resource at a version: opaque to callers, equal exactly when the version is (AIP-154). */
export function etagOf(version: number): string {
  return `"${version.toString(36)}"`;
}

/**
 * Throws ABORTED with reason ETAG_MISMATCH if the caller's etag differs from the resource's current one. An empty etag
 * and `*` (the header `If-Match: *`) skip the check. A weak etag (`W/"…"`) is compared as a strong one.
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
