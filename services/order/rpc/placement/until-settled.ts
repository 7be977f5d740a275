import type { OrderContext } from "../../context.ts";
import type { Order } from "../../domain/order.ts";
import { outOfStock, paymentFailed } from "../../errors.ts";
import type { OrderKey } from "../../store/change-order.ts";
import { readTimeline } from "../../store/timeline.ts";

/** Initial and maximum pause between polls for changes made by other processes; the pause doubles. */
const LOOK_MS = { first: 10, most: 500 };

/** More entries than an order has whose payment has just failed. */
const MAX_ENTRIES = 100;

/**
 * Waits until the order is settled, and returns it; returns the current order at the deadline, and undefined
 * if it no longer exists or the call was cancelled. An
 * order is settled when it is confirmed or over, and when it awaits payment; an order with a payment token (`isPaid`)
 * only if the shopper must act.
 *
 * @throws ConnectError FAILED_PRECONDITION, reason OUT_OF_STOCK or PAYMENT_FAILED, if the order was cancelled for it
 */
export async function untilSettled(
  { db, reads, clock, changed }: Pick<OrderContext, "db" | "reads" | "clock" | "changed">,
  { tenant, id }: OrderKey,
  { waitMs, isPaid, signal }: { readonly waitMs: number; readonly isPaid: boolean; readonly signal: AbortSignal },
): Promise<Order | undefined> {
  const until = clock.monotonicMs() + waitMs;
  let order: Order | undefined;
  for (let lookMs = LOOK_MS.first; !signal.aborted; lookMs = Math.min(2 * lookMs, LOOK_MS.most)) {
    const leftMs = until - clock.monotonicMs();
    const woken = changed.wait(id, Math.min(lookMs, Math.max(leftMs, 0)), signal);
    order = await reads.find({ tenant, id });
    if (order === undefined || isSettled(order, isPaid) || leftMs <= 0) {
      break;
    }
    await woken;
  }
  if (order?.state === "CANCELLED" && order.cancelReason === "OUT_OF_STOCK") {
    throw outOfStock(order);
  }
  if (order?.state === "CANCELLED" && order.cancelReason === "PAYMENT_FAILED") {
    const entries = await readTimeline(db.kysely, { tenant, id }, MAX_ENTRIES);
    throw paymentFailed(order, entries.findLast(({ type }) => type === "PaymentFailed")?.metadata["reason"]);
  }
  return order;
}

function isSettled({ state, paymentAction }: Order, isPaid: boolean): boolean {
  if (state === "AWAITING_PAYMENT" && isPaid) {
    return Boolean(paymentAction?.redirectUrl || paymentAction?.clientSecret);
  }
  return state !== "PLACING" && state !== "CANCELLING";
}
