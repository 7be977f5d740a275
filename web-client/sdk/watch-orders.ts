import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type {
  OrderService,
  WatchOrdersRequestSchema,
  WatchOrdersResponse,
} from "../../gen/docket/order/v1/order_service_pb.js";
import { toDocketError } from "./errors.ts";

/** How `watchOrders` behaves. */
export interface WatchOptions {
  /** Ends the watch: the iteration then ends without an error. */
  readonly signal?: AbortSignal;
  /** The pause before the first attempt to connect again, in milliseconds, doubled up to 10 s. Default 250. */
  readonly reconnectMs?: number;
}

/** After these the stream cannot go on, however often it is tried. */
const final = new Set(["INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "NOT_FOUND"]);

/**
 * Follows changes of orders for as long as the caller iterates. When the connection breaks it is made again and goes on
 * after the last message that was seen, or where it began: nothing is missed and nothing comes twice.
 */
export async function* watchOrders(
  orders: Client<typeof OrderService>,
  request: MessageInitShape<typeof WatchOrdersRequestSchema> = {},
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

/** Resolves after that time, or at once when the signal is aborted. */
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
