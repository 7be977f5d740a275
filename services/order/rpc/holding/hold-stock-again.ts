import type { OrderContext } from "../../context.ts";
import type { Order } from "../../domain/order.ts";
import { heldMs } from "../../domain/release.ts";
import { outOfStock } from "../../errors.ts";
import { shortagesOf } from "../../saga/rpc-outcome.ts";
import { isGone, reserveUntil } from "../../saga/steps.ts";

/** Maximum number of expired reservations that one release replaces. */
const MAX_RESERVATIONS = 50;

/**
 * Reserves the stock of an unpaid order that is released from hold, until its deadline, which is extended by the time
 * on hold. An expired reservation is replaced. Resolves with the number of the reservation that holds the stock;
 * undefined if the order does not await payment.
 *
 * @throws ConnectError FAILED_PRECONDITION, reason OUT_OF_STOCK, if the stock is no longer available
 */
export async function holdStockAgain(
  ctx: OrderContext,
  order: Order | undefined,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (order?.state !== "ON_HOLD" || order.resume !== "AWAITING_PAYMENT") {
    return undefined;
  }
  const { tenant, id: orderId, lines: items, reservationAttempt: first } = order;
  const untilMs = order.paymentDeadlineAt + heldMs(order, ctx.clock.now().getTime());
  for (let attempt = first; attempt < first + MAX_RESERVATIONS; attempt++) {
    const reserved = await reserveUntil(ctx, { tenant, orderId, items, attempt, untilMs }, signal);
    if ("answer" in reserved) {
      return attempt;
    }
    const { refusal } = reserved;
    if (refusal.reason === "OUT_OF_STOCK") {
      throw outOfStock({ ...order, shortages: shortagesOf(refusal.error) });
    }
    if (!isGone(refusal)) {
      throw refusal.error;
    }
  }
  throw new Error(`no reservation of ${orderId} from number ${first} on is free`);
}
