import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Payment_State } from "../../../gen/docket/payment/v1/payment_pb.js";
import {
  done,
  keepWaiting,
  later,
  refused,
  type SagaDefinition,
  type SagaKind,
  type SagaStep,
} from "../../runtime/saga/definition.ts";
import { toMoney } from "../../runtime/values/money.ts";
import type { OrderContext } from "../context.ts";
import { advance, note } from "../domain/changes.ts";
import { type Automation, type Order, paymentName, reservationName } from "../domain/order.ts";
import { isFunded } from "../domain/payment-state.ts";
import { changeOrder } from "../store/change-order.ts";
import { commitStock } from "./commit-stock.ts";
import { createShipment } from "./create-shipment.ts";
import { orderSagaHooks } from "./hooks.ts";
import { rejectionOr } from "./rpc-outcome.ts";
import {
  dependencyRetryPolicy,
  mayComeBack,
  type OrderSagaState,
  releaseReservations,
  reserve,
  settlePayment,
  systemStamp,
} from "./steps.ts";

/** State of the saga. */
export interface PlaceOrderState extends OrderSagaState {
  readonly currency: string;
  /** Minor units. */
  readonly total: bigint;
  readonly capture: Automation;
  readonly paymentProvider: string;
  /** A one-time secret of the payment provider; erased once the payment is open. */
  readonly paymentToken: string;
  /** Epoch milliseconds. */
  readonly paymentDeadlineAt: number;
}

export const placeOrderSaga: SagaKind<PlaceOrderState> = { name: "place-order", version: 1 };

/** The signal with which the payment consumer wakes the saga; its payload is a {@link PaymentSignal}. */
export const paymentSignal = "payment";

/** Outcome of the payment. `changed` makes the saga check the order's funds. */
export interface PaymentSignal {
  readonly outcome: "changed" | "failed" | "expired";
  readonly message: string;
}

/** Poll interval for an order whose deadline moved because it was on hold. */
const EXTENDED_POLL_MS = 1_000;

/** Payment states in which no more money can arrive. */
const ended: ReadonlySet<Payment_State> = new Set([Payment_State.FAILED, Payment_State.VOIDED, Payment_State.EXPIRED]);

type Step = SagaStep<PlaceOrderState>;

/** The initial state of a new order's saga. */
export function placeOrderState(order: Order, paymentToken: string): PlaceOrderState {
  return {
    orderId: order.id,
    items: order.lines.map(({ sku, quantity }) => ({ sku, quantity })),
    fulfillment: order.fulfillment,
    firstReservation: 1,
    lastReservation: 1,
    currency: order.currency,
    total: order.total,
    capture: order.capture,
    paymentProvider: order.paymentProvider,
    paymentToken,
    paymentDeadlineAt: order.paymentDeadlineAt,
  };
}

/**
 * Brings an order from PLACING to CONFIRMED and books its shipment:
 *
 * | step | refused | undone by |
 * | --- | --- | --- |
 * | hold-stock | OUT_OF_STOCK | releasing the reservations |
 * | open-payment | PAYMENT_FAILED | voiding or refunding the payment |
 * | await-payment | PAYMENT_FAILED, EXPIRED | |
 * | commit-stock | OUT_OF_STOCK, when the hold had expired and the stock is gone | |
 * | create-shipment | SHIPMENT_FAILED, unless a part is in a shipment already | cancelling the shipments |
 *
 * Free orders skip both payment steps. A step whose goal is reached already, by an earlier attempt or through the API,
 * is done.
 */
export function placeOrder(ctx: OrderContext): SagaDefinition<PlaceOrderState> {
  return {
    ...placeOrderSaga,
    steps: [holdStock(ctx), openPayment(ctx), awaitPayment(ctx), confirm(ctx), createShipment(ctx)],
    hooks: orderSagaHooks<PlaceOrderState>(ctx),
  };
}

function holdStock(ctx: OrderContext): Step {
  return {
    name: "hold-stock",
    ...dependencyRetryPolicy,
    async invoke(context) {
      const unreserved = await reserve(ctx, context, context.state.paymentDeadlineAt);
      if (unreserved !== undefined) {
        return unreserved;
      }
      const { state, tenant } = context;
      return done({
        command: changeOrder(ctx, { tenant, id: state.orderId }, (order) => [
          note(
            order,
            {
              type: "StockReserved",
              message: "The stock is held.",
              metadata: { reservation: reservationName(order.id, state.lastReservation) },
            },
            systemStamp(ctx),
          ),
        ]),
      });
    },
    async compensate(context) {
      await releaseReservations(ctx, context);
      return done();
    },
  };
}

function openPayment(ctx: OrderContext): Step {
  return {
    name: "open-payment",
    ...dependencyRetryPolicy,
    timeoutMs: 30_000,
    async invoke({ state, tenant, signal }) {
      if (state.total === 0n) {
        return done();
      }
      const opened = await rejectionOr(
        ctx.clients.payment.for(tenant).openPayment(
          {
            name: paymentName(state.orderId),
            amount: toMoney({ currency: state.currency, minor: state.total }),
            provider: state.paymentProvider,
            paymentToken: state.paymentToken,
            captureAutomatically: state.capture === "AUTOMATIC",
            ttl: durationFromMs(Math.max(1_000, state.paymentDeadlineAt - ctx.clock.now().getTime())),
          },
          { signal },
        ),
      );
      if ("refusal" in opened) {
        return refused("PAYMENT_FAILED", { message: opened.refusal.message });
      }
      const payment = opened.answer;
      const spent = { ...state, paymentToken: "" };
      if (ended.has(payment.state)) {
        const message = payment.failureMessage || `the payment is ${Payment_State[payment.state]}`;
        return refused("PAYMENT_FAILED", { message, state: spent });
      }
      const { name, clientSecret, redirectUrl } = payment;
      return done({
        state: spent,
        command: changeOrder(ctx, { tenant, id: state.orderId }, (order) => [
          advance(
            order,
            "AWAIT_PAYMENT",
            {
              type: "PaymentOpened",
              message: "The payment is open.",
              metadata: { payment: name },
              patch: { paymentAction: { payment: name, clientSecret, redirectUrl } },
            },
            systemStamp(ctx),
          ),
        ]),
      });
    },
    async compensate(context) {
      if (context.state.total === 0n) {
        return done();
      }
      const { currency, total: minor } = context.state;
      const keepLateMoney = await mayComeBack(ctx, context);
      return done({ state: await settlePayment(ctx, context, keepLateMoney, toMoney({ currency, minor })) });
    },
  };
}

function awaitPayment(ctx: OrderContext): Step {
  return {
    name: "await-payment",
    waitFor: {
      signals: [paymentSignal],
      // A free order has nothing to wait for.
      deadline: (state) => (state.total === 0n ? { afterMs: 0 } : { atMs: state.paymentDeadlineAt }),
    },
    ...dependencyRetryPolicy,
    async invoke({ state, tenant, wake }) {
      const order = await ctx.reads.find({ tenant, id: state.orderId });
      if (order === undefined || isFunded(order.total, order, order.capture === "MANUAL")) {
        return done();
      }
      const received = wake?.kind === "signal" ? (wake.payload as PaymentSignal) : undefined;
      if (received?.outcome === "failed") {
        return refused("PAYMENT_FAILED", { message: received.message });
      }
      if (received?.outcome === "expired") {
        return refused("EXPIRED", { message: received.message });
      }
      if (received?.outcome === "changed") {
        return keepWaiting();
      }
      const leftMs = order.paymentDeadlineAt - ctx.clock.now().getTime();
      const wasExtended = order.paymentDeadlineAt > state.paymentDeadlineAt;
      return wasExtended && leftMs > 0
        ? later(Math.min(leftMs, EXTENDED_POLL_MS))
        : refused("EXPIRED", { message: "not paid in time" });
    },
  };
}

function confirm(ctx: OrderContext): Step {
  return commitStock(ctx, {
    holdMs: 0,
    trigger: "CONFIRM",
    happening: () => ({ type: "OrderConfirmed", message: "The payment is secured, and the stock is committed." }),
  });
}
