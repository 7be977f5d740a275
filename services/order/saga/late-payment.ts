import { type Payment, Refund_State } from "../../../gen/docket/payment/v1/payment_pb.js";
import { type CompensationContext, done, type SagaDefinition, type SagaStep } from "../../runtime/saga/definition.ts";
import type { OrderContext } from "../context.ts";
import { note, type TimelineEvent } from "../domain/changes.ts";
import { type Order, paymentName } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { type Funds, holdsMoney, isFunded } from "../domain/payment-state.ts";
import { fundsOf, minorOf } from "../payment-funds.ts";
import { changeInBatch } from "../store/change-order.ts";
import { commitStock } from "./commit-stock.ts";
import { createShipment } from "./create-shipment.ts";
import { debts, orderSagaHooks } from "./hooks.ts";
import { type LatePaymentState, latePaymentSaga } from "./late-payment-state.ts";
import { rejectionOr } from "./rpc-outcome.ts";
import { dependencyRetryPolicy, releaseReservations, reserve, settlePayment, systemStamp } from "./steps.ts";

type Step = SagaStep<LatePaymentState>;

/** How long the stock of a resumed order is reserved until it is committed. */
const HOLD_MS = 60_000;

/**
 * Handles money that an order which is over holds: a late payment, or one whose refund was rejected. First reads the
 * actual funds from the payment service. If the order can be resumed (it expired, its payment had failed, or the stock
 * was short) and the money suffices, the stock is reserved and committed again and the order is CONFIRMED. In every
 * other case the money is refunded.
 */
export function latePayment(ctx: OrderContext): SagaDefinition<LatePaymentState> {
  return {
    ...latePaymentSaga,
    steps: [checkPayment(ctx), ...[holdStock(ctx), reopen(ctx), createShipment<LatePaymentState>(ctx)].map(skipping)],
    hooks: {
      ...orderSagaHooks<LatePaymentState>(ctx),
      onSucceeded(batch, saga) {
        const { tenant, state } = saga;
        changeInBatch(batch, ctx, { tenant, id: state.orderId }, (order) => {
          const noted = note(order, ending(state), systemStamp(ctx));
          return [noted, ...debts(ctx, noted.order, saga)];
        });
      },
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

function checkPayment(ctx: OrderContext): Step {
  return {
    name: "check-payment",
    ...dependencyRetryPolicy,
    async invoke(context) {
      const { state, tenant, signal } = context;
      const order = await ctx.reads.find({ tenant, id: state.orderId });
      const read = await rejectionOr(
        ctx.clients.payment.for(tenant).getPayment({ name: paymentName(state.orderId) }, { signal }),
      );
      if (order === undefined || "refusal" in read || !holdsMoney(fundsLeft(read.answer))) {
        return done({ state: { ...state, goesOn: false } });
      }
      const { settling } = read.answer;
      if (!settling && canGoOn(order) && isFunded(order.total, fundsLeft(read.answer), order.capture === "MANUAL")) {
        return done({ state: { ...state, goesOn: true } });
      }
      return done({ state: { ...(await settlePayment(ctx, context, false)), goesOn: false } });
    },
    async compensate(context) {
      return done({ state: await settlePayment(ctx, context, false) });
    },
  };
}

function holdStock(ctx: OrderContext): Step {
  return {
    name: "hold-stock",
    ...dependencyRetryPolicy,
    async invoke(context) {
      return (await reserve(ctx, context, ctx.clock.now().getTime() + HOLD_MS)) ?? done();
    },
    async compensate(context) {
      await releaseReservations(ctx, context);
      return done();
    },
  };
}

function reopen(ctx: OrderContext): Step {
  return commitStock(ctx, {
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
