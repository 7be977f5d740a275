import { type Payment, Refund_State } from "../../../gen/docket/payment/v1/payment_pb.js";
import { type CompensationContext, done, type SagaDefinition, type SagaStep } from "../../runtime/saga/definition.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { note, type TimelineEvent } from "../domain/changes.ts";
import { type Order, paymentName } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { type Funds, holdsMoney, isFunded } from "../domain/payment-state.ts";
import type { OrderParts } from "../parts.ts";
import { fundsOf, minorOf } from "../payment-funds.ts";
import { changeOrder, findOrder } from "../store/orders.ts";
import { commitStock } from "./commit-stock.ts";
import { createShipment } from "./create-shipment.ts";
import { debts, orderSagaHooks } from "./hooks.ts";
import { rejectionOr } from "./rpc-outcome.ts";
import {
  dependencyRetryPolicy,
  type OrderSagaState,
  releaseReservations,
  reserve,
  settlePayment,
  systemStamp,
} from "./steps.ts";

/** State of the saga. */
export interface LatePaymentState extends OrderSagaState {
  /** Whether the order is resumed; false if the money was refunded, or there was none. */
  readonly goesOn: boolean;
}

type Step = SagaStep<LatePaymentState, OrderDatabase>;

/** How long the stock of a resumed order is reserved until it is committed. */
const HOLD_MS = 60_000;

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

/**
 * Handles money that an order which is over holds: a late payment, or one whose refund was rejected. First reads the
 * actual funds from the payment service. If the order can be resumed (it expired, its payment had failed, or the stock
 * was short) and the money suffices, the stock is reserved and committed again and the order is CONFIRMED. In every
 * other case the money is refunded.
 */
export function latePayment(parts: OrderParts): SagaDefinition<LatePaymentState, OrderDatabase> {
  const hooks = orderSagaHooks<LatePaymentState>(parts);
  return {
    name: "late-payment",
    version: 1,
    steps: [
      checkPayment(parts),
      ...[holdStock(parts), reopen(parts), createShipment<LatePaymentState>(parts)].map(skipping),
    ],
    ...hooks,
    async onSucceeded(trx, saga) {
      const { tenant, state } = saga;
      await changeOrder(trx, parts, { tenant, id: state.orderId }, (order) => {
        const noted = note(order, ending(state), systemStamp(parts));
        return [noted, ...debts(parts, noted.order, saga)];
      });
    },
  };
}

function ending({ goesOn, owed }: LatePaymentState): TimelineEvent {
  const patch = { lateSagaId: undefined };
  if (goesOn) {
    return { type: "LatePaymentAccepted", message: "The late payment was accepted, and the order continues.", patch };
  }
  return owed === undefined
    ? { type: "LatePaymentChecked", message: "No late payment is held.", patch }
    : { type: "LatePaymentOwed", message: `Money could not be refunded: ${owed}`, patch };
}

function checkPayment(parts: OrderParts): Step {
  return {
    name: "check-payment",
    ...dependencyRetryPolicy,
    async invoke(context) {
      const { state, tenant, signal } = context;
      const order = await findOrder(parts.db.kysely, tenant, state.orderId);
      const read = await rejectionOr(
        parts.clients.payment.for(tenant).getPayment({ name: paymentName(state.orderId) }, { signal }),
      );
      if (order === undefined || "refusal" in read || !holdsMoney(fundsLeft(read.answer))) {
        return done({ state: { ...state, goesOn: false } });
      }
      const { settling } = read.answer;
      if (!settling && canGoOn(order) && isFunded(order.total, fundsLeft(read.answer), order.capture === "MANUAL")) {
        return done({ state: { ...state, goesOn: true } });
      }
      return done({ state: { ...(await settlePayment(parts, context, false)), goesOn: false } });
    },
    async compensate(context) {
      return done({ state: await settlePayment(parts, context, false) });
    },
  };
}

function holdStock(parts: OrderParts): Step {
  return {
    name: "hold-stock",
    ...dependencyRetryPolicy,
    async invoke(context) {
      return (await reserve(parts, context, parts.clock.now().getTime() + HOLD_MS)) ?? done();
    },
    async compensate(context) {
      await releaseReservations(parts, context);
      return done();
    },
  };
}

function reopen(parts: OrderParts): Step {
  return commitStock(parts, {
    holdMs: HOLD_MS,
    trigger: "REOPEN",
    happening: (sagaId) => ({
      type: "OrderReopened",
      message: "The payment arrived late, and the stock was committed again.",
      patch: { sagaId, cancelReason: undefined, shortages: [] },
    }),
  });
}

/** Makes the step conditional on the order being resumed. */
function skipping(step: Step): Step {
  const { invoke, compensate } = step;
  return {
    ...step,
    invoke: async (context) => (context.state.goesOn ? invoke(context) : done()),
    ...(compensate && {
      compensate: async (context: CompensationContext<LatePaymentState>) =>
        context.state.goesOn ? compensate(context) : done(),
    }),
  };
}

/** Orders that were cancelled on purpose are not resumed, nor are those whose address was erased. */
function canGoOn(order: Order): boolean {
  const { cancelReason, anonymizedAt } = order;
  if (anonymizedAt !== undefined) {
    return false;
  }
  const state = effectiveState(order);
  return (
    state === "EXPIRED" ||
    (state === "CANCELLED" && (cancelReason === "PAYMENT_FAILED" || cancelReason === "OUT_OF_STOCK"))
  );
}

/** The funds of a payment; pending refunds count as refunded. */
export function fundsLeft(payment: Payment): Funds {
  const funds = fundsOf(payment);
  const pending = payment.refunds
    .filter((refund) => refund.state === Refund_State.PENDING)
    .reduce((sum, refund) => sum + minorOf(refund.amount), 0n);
  return { ...funds, refunded: funds.refunded + pending };
}
