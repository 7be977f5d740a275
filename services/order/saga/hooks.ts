import type { Batch, KeySet } from "../../runtime/commands/command.ts";
import type { SagaHooks } from "../../runtime/saga/definition.ts";
import type { Saga } from "../../runtime/saga/saga.ts";
import type { OrderContext } from "../context.ts";
import { advance, alarm, type Change, note } from "../domain/changes.ts";
import { lacksFunds } from "../domain/funding.ts";
import type { CancelReason, Order } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { owesMoney } from "../domain/owed-money.ts";
import { orderIdOf } from "../messages.ts";
import { changeInBatch, needOrder } from "../store/change-order.ts";
import { startLatePayment } from "./start-late-payment.ts";
import { type OrderSagaState, systemStamp } from "./steps.ts";

/**
 * The order's cancellation reason by the saga's failure. An expired deadline is not a cancellation: the order expires.
 */
const cancelReasons: Readonly<Record<string, CancelReason | undefined>> = {
  OUT_OF_STOCK: "OUT_OF_STOCK",
  PAYMENT_FAILED: "PAYMENT_FAILED",
  SHIPMENT_FAILED: "SHIPMENT_FAILED",
};

/** Updates the order when its saga starts compensating or ends. */
export function orderSagaHooks<State extends OrderSagaState>(ctx: OrderContext): SagaHooks<State> {
  const change = (batch: Batch, { tenant, state }: Saga<State>, decide: (order: Order) => readonly Change[]): void => {
    changeInBatch(batch, ctx, { tenant, id: state.orderId }, decide);
  };

  return {
    keys: needOrderOf,
    onCompensating: (batch, saga) => change(batch, saga, (order) => turned(ctx, order, saga)),
    onCompensated: (batch, saga) =>
      change(batch, saga, (order) => {
        const end = ended(ctx, order, saga);
        const late = cameAfterwards(end.order, saga) ? [startLatePayment(batch, ctx, end.order)] : [];
        return [end, ...late, ...debts(ctx, late.at(-1)?.order ?? end.order, saga)];
      }),
    onNeedsAttention: (batch, saga) =>
      change(batch, saga, (order) => {
        const { step = saga.step, message = "" } = saga.failure ?? {};
        const attentionMessage = `${saga.definition} stopped at ${step}: ${message}`;
        const happening = { type: "OrderNeedsAttention", message: attentionMessage, patch: { attentionMessage } };
        return [advance(order, "FAIL", { ...happening, metadata: sagaFacts(saga) }, systemStamp(ctx))];
      }),
    onRetried: (batch, saga) =>
      change(batch, saga, (order) => [
        order.state === "NEEDS_ATTENTION" && !owesMoney(order) && !lacksFunds(order)
          ? advance(order, "RELEASE", { type: "OrderReleased", message: "The order was released." }, systemStamp(ctx))
          : note(order, { type: "SagaRetried", message: "The saga was retried." }, systemStamp(ctx)),
      ]),
  };
}

/** Declares the order of a saga. */
export function needOrderOf(need: KeySet, { tenant, aggregate }: Pick<Saga, "tenant" | "aggregate">): void {
  needOrder(need, { tenant, id: orderIdOf(aggregate) });
}

/** The saga started to compensate. If a caller cancelled the order, the order has recorded it already. */
function turned(ctx: OrderContext, order: Order, saga: Saga<OrderSagaState>): Change[] {
  const { reason = "", message = "" } = saga.failure ?? {};
  const state = effectiveState(order);
  if (state === "CANCELLING" || state === "EXPIRED" || state === "CANCELLED") {
    return [];
  }
  if (reason === "EXPIRED") {
    const happening = {
      type: "PaymentTimedOut",
      message: "The order was not paid in time.",
      metadata: sagaFacts(saga),
    };
    return [note(order, happening, systemStamp(ctx))];
  }
  const cancelReason = cancelReasons[reason] ?? "REQUESTED";
  const shortages = reason === "OUT_OF_STOCK" ? (saga.state.shortages ?? []) : [];
  const metadata = { ...sagaFacts(saga), reason: cancelReason, ...shortages[0] };
  return [
    advance(
      order,
      "CANCEL",
      { type: "OrderCancelling", message: message || reason, metadata, patch: { cancelReason, shortages } },
      systemStamp(ctx),
    ),
  ];
}

/** The saga is fully compensated. */
function ended(ctx: OrderContext, order: Order, saga: Saga<OrderSagaState>): Change {
  const moment = systemStamp(ctx);
  const reservationAttempt = Math.max(order.reservationAttempt, saga.state.lastReservation);
  const patch = { lateSagaId: undefined, reservationAttempt };
  switch (effectiveState(order)) {
    case "CANCELLING":
      return advance(
        order,
        "END_CANCEL",
        { type: "OrderCancelled", message: "The order is cancelled.", patch },
        moment,
      );
    case "CANCELLED":
    case "EXPIRED": {
      const message = "The payment arrived too late and is being refunded.";
      return note(order, { type: "LatePaymentReturned", message, metadata: sagaFacts(saga), patch }, moment);
    }
    default:
      return advance(order, "EXPIRE", { type: "OrderExpired", message: "The order has expired.", patch }, moment);
  }
}

/**
 * Records that the order owes money that the provider refused to refund; undefined if the order needs attention
 * already.
 */
export function debts(ctx: OrderContext, order: Order, { state: { owed } }: Saga<OrderSagaState>): Change[] {
  return owed === undefined ? [] : alarm(order, `The order's money could not be refunded: ${owed}`, systemStamp(ctx));
}

/** Whether money arrived after the saga had settled the payment, during the rest of the compensation. */
function cameAfterwards(order: Order, { state }: Saga<OrderSagaState>): boolean {
  return order.captured > (state.settledCaptured ?? 0n) || order.authorized > order.captured;
}

function sagaFacts(saga: Saga<OrderSagaState>): Record<string, string> {
  return { saga: `sagas/${saga.id}`, ...(saga.failure && { step: saga.failure.step }) };
}
