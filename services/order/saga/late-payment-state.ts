import type { SagaKind } from "../../runtime/saga/definition.ts";
import type { Order } from "../domain/order.ts";
import type { OrderSagaState } from "./steps.ts";

/** State of a late-payment saga. */
export interface LatePaymentState extends OrderSagaState {
  /** Whether the order is resumed; false if the money was refunded, or there was none. */
  readonly goesOn: boolean;
}

export const latePaymentSaga: SagaKind<LatePaymentState> = { name: "late-payment", version: 1 };

/** The initial state of a late-payment saga. The order's `reservationAttempt` must advance with it. */
export function latePaymentState(order: Order): LatePaymentState {
  const attempt = order.reservationAttempt + 1;
  return {
    orderId: order.id,
    items: order.lines.map(({ sku, quantity }) => ({ sku, quantity })),
    fulfillment: order.fulfillment,
    firstReservation: attempt,
    lastReservation: attempt,
    goesOn: false,
  };
}
