import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../../errors.ts";
import type { CutReason } from "../limits/request-meter.ts";

/** A request of node:http or node:http2. */
export type Request = IncomingMessage | Http2ServerRequest;
/** The response to a {@link Request}. */
export type Response = ServerResponse | Http2ServerResponse;

/** The error of a call whose client has disconnected: CANCELLED, logged as 499. */
export function clientDisconnected(): ConnectError {
  return new ConnectError("the client closed the request", Code.Canceled);
}

/** False if the head of the request declares that it has no body. */
export function hasBody(request: Request): boolean {
  if ("stream" in request) return !request.stream.endAfterHeaders;
  const { headers } = request;
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/**
 * Waits for a body that arrived together with the head, which Node reads in the same turn of the event loop, so that an
 * early response need not close the connection. Undefined if there is no body left to read.
 */
export function bodyOfSameTurn(request: Request): Promise<void> | undefined {
  return request.complete || !hasBody(request) ? undefined : nextTurn();
}

/** The connection of a request, for limits per connection. */
export function connectionOf(request: Request): object {
  return "stream" in request ? (request.stream.session ?? request.stream) : request.socket;
}

/** Time for the client of an aborted request to read the error, in milliseconds. */
const cutAfterMs = 1000;

/**
 * The error of a request that is not read to its end: 408 if it arrives too slowly, 503 if unfinished requests use too
 * much memory. Closes the request once the error has had time to arrive.
 */
export function cut(request: Request, reason: CutReason): ConnectError {
  setTimeout(() => {
    if ("stream" in request) request.stream.close(constants.NGHTTP2_CANCEL);
    else if (!request.complete) request.socket.destroy();
  }, cutAfterMs).unref();
  return reason === "slow"
    ? gatewayError({
        code: Code.DeadlineExceeded,
        reason: "REQUEST_TOO_SLOW",
        message: "the request body arrives too slowly; send it faster or in smaller requests",
        httpStatus: 408,
        headers: { Connection: "close" },
      })
    : gatewayError({
        code: Code.Unavailable,
        reason: "SERVER_BUSY",
        message: "the server is receiving too many large requests at once; try again",
        headers: { Connection: "close", "Retry-After": "1" },
      });
}
