import { Code, type ConnectError } from "@connectrpc/connect";
import { gatewayError, invalidRequest } from "../errors.ts";
import type { Request } from "./body/request.ts";

/** Headers that must occur once. Node keeps the first or joins all, and an upstream proxy may behave differently. */
const singletons: ReadonlySet<string> = new Set([
  "authorization",
  "content-length",
  "content-type",
  "host",
  "idempotency-key",
  "origin",
]);

/**
 * Detects an ambiguous request head: a repeated singleton header, a `Host` that differs from HTTP/2's authority (400),
 * or a transfer coding beside `chunked`, whose bytes would be mistaken for the body (501).
 */
export function faultOfHead(request: Request): ConnectError | undefined {
  const { headers, rawHeaders } = request;
  const coding = headers["transfer-encoding"];
  if (coding !== undefined && coding.trim().toLowerCase() !== "chunked") {
    return gatewayError({
      code: Code.Unimplemented,
      reason: "UNSUPPORTED_TRANSFER_ENCODING",
      message: `transfer-encoding "${coding.slice(0, 80)}" is not supported; use chunked, and Content-Encoding to compress`,
      httpStatus: 501,
      headers: { Connection: "close" },
    });
  }
  const authority = headers[":authority"];
  if (authority !== undefined && headers.host !== undefined && headers.host !== authority) {
    return malformed("the header host differs from the authority of the request");
  }
  let names = 0;
  for (const _ in headers) names += 1;
  return rawHeaders.length === 2 * names ? undefined : repeatedHeader(rawHeaders);
}

function repeatedHeader(rawHeaders: readonly string[]): ConnectError | undefined {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? "";
    if (!singletons.has(name)) continue;
    if (seen.has(name)) return malformed(`the header ${name} comes more than once; send it once`);
    seen.add(name);
  }
  return undefined;
}

function malformed(description: string): ConnectError {
  return invalidRequest([{ field: "", description }], "MALFORMED_HEAD");
}
