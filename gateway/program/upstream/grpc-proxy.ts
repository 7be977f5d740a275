import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { parseContentType, parseTimeout } from "@connectrpc/connect/protocol-grpc";
import { gatewayError } from "../../errors.ts";
import type { Request, Response } from "../../http/body/request.ts";
import type { RequestMeter } from "../../http/limits/request-meter.ts";
import { defaultMaxBodyBytes } from "../../rest/options.ts";
import { beginForwarded, endWithReply } from "./call-spans.ts";
import { forwardCall } from "./forward-call.ts";
import { createGrpcReply } from "./grpc-reply.ts";
import type { Pool } from "./pool.ts";
import { callHeaders } from "./raw-headers.ts";
import { upstreamError } from "./upstream-error.ts";

/**
 * Serves a gRPC request by forwarding its messages as bytes.
 *
 * @returns false for a request that it declines, of which nothing has been consumed.
 */
export type GrpcProxy = (request: Request, response: Response, path: string) => boolean;

export interface GrpcProxyOptions {
  /** Services whose calls are forwarded. */
  readonly forwarded: readonly DescService[];
  /** Services that the program implements, whose calls are declined. */
  readonly local: readonly DescService[];
  /** Maximum size of each request message, compressed if it is (default {@link defaultMaxBodyBytes}). */
  readonly maxBodyBytes?: number | undefined;
  /** Maximum timeout that a client may request, in milliseconds. */
  readonly maxTimeoutMs?: number | undefined;
  readonly meter: RequestMeter;
  /** Ends every call on shutdown. */
  readonly shutdownSignal: AbortSignal;
  /** Called with the reason of a connection failure, which clients do not see. */
  readonly onFailure: (reason: string) => void;
  /** Whether calls have spans. */
  readonly isTraced: boolean;
}

/**
 * Creates a proxy for gRPC over HTTP/2. It declines other wires, JSON messages, and calls for which no direct channel is
 * open. Methods of services that it does not know are UNIMPLEMENTED.
 */
export function createGrpcProxy(pool: Pool, options: GrpcProxyOptions): GrpcProxy {
  const { maxBodyBytes = defaultMaxBodyBytes, maxTimeoutMs = Number.MAX_SAFE_INTEGER } = options;
  const { meter, shutdownSignal, onFailure, isTraced } = options;
  const pathsOf = (services: readonly DescService[]) =>
    services.flatMap(({ typeName, methods }) =>
      methods.map((method) => [`/${typeName}/${method.name}`, method] as const),
    );
  const forwarded = new Map<string, DescMethod>(pathsOf(options.forwarded));
  const local = new Set<string>(pathsOf(options.local).map(([path]) => path));

  return (request, response, path) => {
    if (!("stream" in response) || !("stream" in request) || request.method !== "POST" || local.has(path)) return false;
    const { headers } = request;
    if (parseContentType(headers["content-type"] ?? null)?.binary !== true) return false;
    const reply = createGrpcReply(request, response);
    const method = forwarded.get(path);
    const timeout = parseTimeout((headers["grpc-timeout"] as string | undefined) ?? null, maxTimeoutMs);
    try {
      if (method === undefined) throw unknownMethod(path);
      if (timeout.error !== undefined) throw timeout.error;
      const sent = callHeaders({ raw: request.rawHeaders, parsed: headers });
      const span = isTraced ? beginForwarded(path.slice(1), sent) : undefined;
      const upstream = pool.pick().direct?.open(path, sent);
      // A span that never ends is not exported: a declined call gets one elsewhere.
      if (upstream === undefined) return false;
      if (span !== undefined) endWithReply(span, reply, response.stream);
      forwardCall({
        request,
        response,
        reply,
        upstream,
        isSingle: method.methodKind === "unary" || method.methodKind === "server_streaming",
        maxMessageBytes: maxBodyBytes,
        timeoutMs: timeout.timeoutMs,
        meter,
        shutdownSignal,
        errorOf(failure) {
          const error = upstreamError(failure);
          if (error.code === Code.Unavailable && error.cause instanceof Error) onFailure(error.cause.message);
          return error;
        },
      });
    } catch (error) {
      reply.fail(ConnectError.from(error));
    }
    return true;
  };
}

function unknownMethod(path: string): ConnectError {
  return gatewayError({
    code: Code.Unimplemented,
    reason: "UNKNOWN_METHOD",
    message: `unknown method ${path.slice(0, 200)}`,
  });
}
