import type { Transaction } from "kysely";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { type Change, note } from "../domain/changes.ts";
import { type Order, orderName } from "../domain/order.ts";
import { latePaymentSaga, latePaymentState } from "./late-payment-state.ts";
import { systemStamp } from "./steps.ts";

/**
 * Starts the `late-payment` saga of an order that is over, in the caller's transaction, and returns the order's change.
 */
export function startLatePayment(trx: Transaction<OrderDatabase>, ctx: OrderContext, order: Order): Promise<Change> {
  return begin(trx, ctx, order, {
    type: "LatePaymentArrived",
    message: "A payment arrived after the order had ended.",
  });
}

/** The same, for an order that is over and owes money whose refund was rejected. */
export function retryRefundOf(trx: Transaction<OrderDatabase>, ctx: OrderContext, order: Order): Promise<Change> {
  return begin(trx, ctx, order, {
    type: "RefundRetried",
    message: "The outstanding refund is being retried.",
  });
}

async function begin(
  trx: Transaction<OrderDatabase>,
  ctx: OrderContext,
  order: Order,
  happening: { readonly type: string; readonly message: string },
): Promise<Change> {
  const id = ctx.ids.next();
  await ctx.sagas.start(trx, {
    definition: latePaymentSaga,
    id,
    tenant: order.tenant,
    aggregate: orderName(order),
    state: latePaymentState(order),
  });
  return note(
    order,
    {
      ...happening,
      metadata: { saga: `sagas/${id}` },
      patch: { lateSagaId: id, reservationAttempt: order.reservationAttempt + 1 },
    },
    systemStamp(ctx),
  );
}
