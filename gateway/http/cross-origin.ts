import { Code } from "@connectrpc/connect";
import { gatewayError } from "../errors.ts";
import type { Request } from "./body/request.ts";

/** The content types that a page may send to any origin without a preflight (Fetch, "CORS-safelisted request-header"). */
const withoutPreflight = /^\s*(application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\s*(;|$)/i;

/**
 * Rejects requests that a cross-origin page can make a browser send with the user's cookies and without a preflight: a
 * form, or a body without a content type. Requests with other content types are preflighted, so CORS decides on them.
 *
 * @param allowsOrigin true for origins whose pages are allowed.
 * @throws ConnectError PERMISSION_DENIED.
 */
export function refuseForgery(
  { method, headers }: Request,
  allowsOrigin: (origin: string, host: string | undefined) => boolean,
): void {
  if (headers.cookie === undefined || method === "GET" || method === "HEAD") return;
  const contentType = headers["content-type"];
  if (contentType !== undefined && !withoutPreflight.test(contentType)) return;
  const { origin } = headers;
  const authority = headers.host ?? headers[":authority"];
  const isForeign =
    origin === undefined
      ? headers["sec-fetch-site"] === "cross-site"
      : !allowsOrigin(origin, authority === undefined ? undefined : String(authority));
  if (!isForeign) return;
  throw gatewayError({
    code: Code.PermissionDenied,
    reason: "ORIGIN_NOT_ALLOWED",
    message: "pages of this origin may not send forms with cookies; allow the origin by CORS, or send application/json",
  });
}
