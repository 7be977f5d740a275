import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";

/** Request headers that reach the implementation by default. */
export const defaultRequestHeaders: readonly string[] = [
  "accept-language",
  "authorization",
  "content-type",
  "cookie",
  "idempotency-key",
  "if-match",
  "if-none-match",
  "last-event-id",
  "traceparent",
  "tracestate",
  "user-agent",
  "x-api-key",
  "x-request-id",
];

/**
 * Creates the filter that converts request headers to metadata.
 *
 * @param allowed names in any case; `x-shop-*` allows every name with that prefix. All other headers are dropped, so no
 * client can forge an identity or an internal header.
 */
export function createHeaderFilter(allowed: readonly string[]): (headers: IncomingHttpHeaders) => Headers {
  const names = new Set(allowed.filter((name) => !name.endsWith("*")).map((name) => name.toLowerCase()));
  const prefixes = allowed.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1).toLowerCase());
  return (headers) => {
    const metadata = new Headers();
    for (const name in headers) {
      const value = headers[name];
      if (value === undefined || name.startsWith(":")) continue;
      if (!names.has(name) && !prefixes.some((prefix) => name.startsWith(prefix))) continue;
      if (typeof value === "string") metadata.set(name, value);
      else for (const each of value) metadata.append(name, each);
    }
    return metadata;
  };
}

const ofProtocol =
  /^(:.*|connection|content-.*|accept|accept-encoding|host|te|trailer|transfer-encoding|upgrade|keep-alive|expect|grpc-.*|connect-.*|http2-settings|origin|sec-.*)$/;

/** True for a request header of HTTP or an RPC protocol itself, which is not forwarded to an upstream as metadata. */
export function isProtocolHeader(name: string): boolean {
  return ofProtocol.test(name);
}

/** Headers that belong to the connection or the gateway and that an implementation cannot set. */
const reserved = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "date",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Copies response metadata to HTTP headers; `prefix` for trailers. */
export function copyMetadata(from: Headers | undefined, to: OutgoingHttpHeaders, prefix = ""): void {
  if (from === undefined) return;
  from.forEach((value, name) => {
    if (prefix === "" && (reserved.has(name) || name.startsWith("grpc-"))) return;
    if (name === "set-cookie") return;
    to[`${prefix}${name}`] = value;
  });
  const cookies = from.getSetCookie();
  if (cookies.length > 0 && prefix === "") to["set-cookie"] = cookies;
}
