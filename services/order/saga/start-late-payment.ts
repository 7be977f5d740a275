import type { Transaction } from "kysely";
import type { OrderDatabase } from "../db/schema.ts";
import { type Change, note } from "../domain/changes.ts";
import type { Order } from "../domain/order.ts";
import type { OrderParts } from "../parts.ts";
import { systemStamp } from "./steps.ts";

/**
 * Starts the `late-payment` saga of an order that is over, in the caller's transaction, and returns the order's change.
 */
export function startLatePayment(trx: Transaction<OrderDatabase>, parts: OrderParts, order: Order): Promise<Change> {
  return begin(trx, parts, order, {
    type: "LatePaymentArrived",
    message: "A payment arrived after the order had ended.",
  });
}

/** The same, for an order that is over and owes money whose refund was rejected. */
export function retryRefundOf(trx: Transaction<OrderDatabase>, parts: OrderParts, order: Order): Promise<Change> {
  return begin(trx, parts, order, {
    type: "RefundRetried",
    message: "The outstanding refund is being retried.",
  });
}

async function begin(
  trx: Transaction<OrderDatabase>,
  parts: OrderParts,
  order: Order,
  happening: { readonly type: string; readonly message: string },
): Promise<Change> {
  const id = parts.ids.next();
  await parts.startLatePayment(trx, id, order);
  return note(
    order,
    {
      ...happening,
      metadata: { saga: `sagas/${id}` },
      patch: { lateSagaId: id, reservationAttempt: order.reservationAttempt + 1 },
    },
    systemStamp(parts),
  );
}
