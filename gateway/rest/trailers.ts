import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Request, Response } from "../http/body/request.ts";
import { copyMetadata } from "../http/metadata.ts";

const prefix = "grpc-trailer-";

/** True if the client accepts trailers (RFC 9110, section 10.1.4) and the response supports them. */
export function takesTrailers(request: Request): boolean {
  if (request.method === "HEAD" || request.httpVersionMajor < 1 || request.httpVersion === "1.0") return false;
  const { te } = request.headers;
  return te !== undefined && /(?:^|,)\s*trailers\s*(?:,|$)/i.test(String(te));
}

/** Copies the trailers of a call to its response headers, if all are known before the body. */
export function copyTrailers(trailer: Headers | undefined, headers: OutgoingHttpHeaders): void {
  copyMetadata(trailer, headers, prefix);
}

/** Appends the trailers of a call to the response. @returns their names. */
export function addTrailers(response: Response, trailer: Headers | undefined): string[] {
  const trailers: OutgoingHttpHeaders = {};
  copyMetadata(trailer, trailers, prefix);
  const names = Object.keys(trailers);
  if (names.length > 0) (response as ServerResponse).addTrailers(trailers as Record<string, string>);
  return names;
}
