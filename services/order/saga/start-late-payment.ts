import type { Batch } from "../../runtime/commands/command.ts";
import type { OrderContext } from "../context.ts";
import { type Change, note } from "../domain/changes.ts";
import { type Order, orderName } from "../domain/order.ts";
import { latePaymentSaga, latePaymentState } from "./late-payment-state.ts";
import { systemStamp } from "./steps.ts";

type Context = Pick<OrderContext, "ids" | "clock" | "sagas">;

/** Starts the `late-payment` saga of an order that is over, and returns the order's change. */
export function startLatePayment(batch: Batch, ctx: Context, order: Order): Change {
  return begin(batch, ctx, order, {
    type: "LatePaymentArrived",
    message: "A payment arrived after the order had ended.",
  });
}

/** The same, for an order that is over and owes money whose refund was rejected. */
export function retryRefundOf(batch: Batch, ctx: Context, order: Order): Change {
  return begin(batch, ctx, order, {
    type: "RefundRetried",
    message: "The outstanding refund is being retried.",
  });
}

function begin(
  batch: Batch,
  ctx: Context,
  order: Order,
  happening: { readonly type: string; readonly message: string },
): Change {
  const id = ctx.ids.next();
  ctx.sagas.inBatch.start(batch, {
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
