import type { IncomingHttpHeaders } from "node:http";
import { Code, type ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors.ts";

const grpcUnits: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * The timeout requested by the client, in milliseconds, from `Grpc-Timeout` (`10S`), `Connect-Timeout-Ms` or
 * `X-Server-Timeout` (seconds, may have a fraction). The first header present takes precedence.
 *
 * @throws ConnectError INVALID_ARGUMENT for a malformed header.
 */
export function timeoutOf(headers: IncomingHttpHeaders): number | undefined {
  const grpc = headers["grpc-timeout"];
  if (typeof grpc === "string") {
    const match = /^(\d{1,8})([HMSmun])$/.exec(grpc);
    if (match === null) throw badTimeout("grpc-timeout", grpc);
    return Number(match[1]) * (grpcUnits[match[2] ?? ""] ?? 1);
  }
  const connect = headers["connect-timeout-ms"];
  if (typeof connect === "string") {
    if (!/^\d{1,10}$/.test(connect)) throw badTimeout("connect-timeout-ms", connect);
    return Number(connect);
  }
  const server = headers["x-server-timeout"];
  if (typeof server === "string") {
    if (!/^\d{1,10}(\.\d{1,9})?$/.test(server)) throw badTimeout("x-server-timeout", server);
    return Number(server) * 1000;
  }
  return undefined;
}

function badTimeout(header: string, value: string): ConnectError {
  return gatewayError({
    code: Code.InvalidArgument,
    reason: "INVALID_TIMEOUT",
    message: `${header}: "${value.slice(0, 40)}" is not a timeout`,
    metadata: { header },
  });
}
