import type { Order as OrderMessage } from "../../../gen/docket/order/v1/order_pb.js";
import type { OrderContext } from "../context.ts";
import type { Order } from "../domain/order.ts";
import { outOfStock } from "../errors.ts";
import { toOrderMessage } from "../messages.ts";
import { findOrder } from "../store/orders.ts";
import { orderIdOf } from "./order-name.ts";

/** How long to wait before looking by oneself, for changes that another process made: doubled up to the most. */
const LOOK_MS = { first: 10, most: 500 };

/**
 * The order once it rests (its stock is held or refused), or as it stands when the time is over or the caller leaves.
 *
 * @throws ConnectError FAILED_PRECONDITION, reason OUT_OF_STOCK, when the order was cancelled for that
 */
export async function untilSettled(
  { db, clock, changed }: Pick<OrderContext, "db" | "clock" | "changed">,
  tenant: string,
  placed: OrderMessage,
  waitMs: number,
  signal: AbortSignal,
): Promise<OrderMessage> {
  const id = orderIdOf(placed.name);
  const until = clock.monotonicMs() + waitMs;
  let order: Order | undefined;
  for (let lookMs = LOOK_MS.first; !signal.aborted; lookMs = Math.min(2 * lookMs, LOOK_MS.most)) {
    const leftMs = until - clock.monotonicMs();
    const woken = changed.wait(id, Math.min(lookMs, Math.max(leftMs, 0)), signal);
    order = await findOrder(db.kysely, tenant, id);
    if (order === undefined || isSettled(order) || leftMs <= 0) {
      break;
    }
    await woken;
  }
  if (order?.state === "CANCELLED" && order.cancelReason === "OUT_OF_STOCK") {
    throw outOfStock(order);
  }
  return order ? toOrderMessage(order) : placed;
}

function isSettled({ state }: Order): boolean {
  return state !== "PLACING" && state !== "CANCELLING";
}
