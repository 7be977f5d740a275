import type {
  OrderService,
  WatchOrdersRequestSchema,
  WatchOrdersResponse,
} from "../../gen/docket/order/v1/order_service_pb.js";
import type { TypedClient } from "./client.ts";
import { toDocketError } from "./errors.ts";
import type { RequestShape } from "./request-shape.ts";

/** Options of `watchOrders`. */
export interface WatchOptions {
  /** Ends the watch. The iteration then ends without an error. */
  readonly signal?: AbortSignal | undefined;
  /** The delay before the first reconnection, in milliseconds. Doubles up to 10 s. Default 250. */
  readonly reconnectMs?: number | undefined;
}

/** Errors that reconnecting cannot resolve. */
const final = new Set(["INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "NOT_FOUND"]);

/**
 * Streams changes of orders for as long as the caller iterates. After a broken connection it reconnects and resumes
 * after the last message received, or from the start position: no change is missed or repeated.
 */
export async function* watchOrders(
  orders: Pick<TypedClient<typeof OrderService>, "watchOrders">,
  request: RequestShape<typeof WatchOrdersRequestSchema> = {},
  { signal, reconnectMs = 250 }: WatchOptions = {},
): AsyncGenerator<WatchOrdersResponse> {
  let resumeToken = request.resumeToken ?? "";
  let failures = 0;
  while (signal?.aborted !== true) {
    try {
      const options = { timeoutMs: 0, ...(signal && { signal }) };
      for await (const message of orders.watchOrders({ ...request, resumeToken }, options)) {
        failures = 0;
        resumeToken = message.resumeToken;
        if (message.event !== undefined) {
          yield message;
        }
      }
    } catch (error) {
      const failure = toDocketError(error);
      if (isAborted(signal)) {
        return;
      }
      if (final.has(failure.code)) {
        throw failure;
      }
    }
    await pause(Math.random() * Math.min(10_000, reconnectMs * 2 ** failures), signal);
    failures += 1;
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted ?? false;
}

/** Resolves after the given time, or immediately when the signal is aborted. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(finish, ms);
    signal?.addEventListener("abort", finish);
    function finish() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      resolve();
    }
  });
}
