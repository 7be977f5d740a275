import { timeoutOf } from "../../../gateway/call/deadline.ts";
import type { ExchangeRequest } from "../../../gateway/http/listener/exchange.ts";

type Headers = ExchangeRequest["headers"];

/**
 * Adds the time that is left for a call to its headers, in the form of its wire, unless the client wants to wait for
 * less. A client's malformed timeout is kept, so that it is refused.
 */
export function withDeadline(headers: Headers, leftMs: number): Headers {
  const given = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
  try {
    if ((timeoutOf(given) ?? Number.POSITIVE_INFINITY) <= leftMs) {
      return headers;
    }
  } catch {
    return headers;
  }
  const names = new Set(["grpc-timeout", "connect-timeout-ms", "x-server-timeout"]);
  const others = headers.filter(([name]) => !names.has(name.toLowerCase()));
  return [...others, timeoutHeader(given, Math.max(0, Math.floor(leftMs)))];
}

function timeoutHeader(given: Readonly<Record<string, string>>, leftMs: number): readonly [string, string] {
  const type = given["content-type"] ?? "";
  if (type.startsWith("application/grpc")) {
    return ["grpc-timeout", `${Math.min(leftMs, 99_999_999)}m`];
  }
  return given["connect-protocol-version"] !== undefined || type.startsWith("application/connect+")
    ? ["connect-timeout-ms", String(leftMs)]
    : ["x-server-timeout", (leftMs / 1000).toFixed(3)];
}
