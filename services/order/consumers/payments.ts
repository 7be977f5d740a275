import type { Transaction } from "kysely";
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentExpiredSchema,
  PaymentFailedSchema,
  PaymentMismatchedSchema,
  PaymentRefundedSchema,
  PaymentVoidedSchema,
  RefundFailedSchema,
} from "../../../gen/docket/payment/v1/payment_events_pb.js";
import type { Payment, Refund } from "../../../gen/docket/payment/v1/payment_pb.js";
import { parseName } from "../../runtime/api/resource-name.ts";
import type { BusEvent, EventBus } from "../../runtime/bus/event-bus.ts";
import { type Consumer, createConsumer } from "../../runtime/inbox/consumer.ts";
import { on } from "../../runtime/inbox/handlers.ts";
import { amountText } from "../../runtime/values/amount-text.ts";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { Change } from "../domain/changes.ts";
import { moneyChanged } from "../domain/money-changes.ts";
import type { Order } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { isGivenUp } from "../domain/owed-money.ts";
import { type Funds, holdsMoney } from "../domain/payment-state.ts";
import { fundsOf, minorOf } from "../payment-funds.ts";
import { type PaymentSignal, paymentSignal } from "../saga/place-order.ts";
import { startLatePayment } from "../saga/start-late-payment.ts";
import { changeOrder } from "../store/orders.ts";
import { upsertPaymentProjection } from "../store/projections.ts";

/** A payment event as it appears on the order's timeline. */
interface PaymentEventDetails {
  readonly type: string;
  readonly message: string;
  readonly payment: Payment | undefined;
  readonly refund?: Refund | undefined;
  /** Outcome for an order that awaits payment. */
  readonly outcome: PaymentSignal["outcome"];
  /** Whether the event can bring money to an order that is over. */
  readonly brings?: boolean;
  /** When the order needs attention: always, or only if the money was to be returned. */
  readonly alarms?: "always" | "going back";
}

/** Projects the payment service's events onto orders and wakes their sagas. */
export function createPaymentConsumer(ctx: OrderContext, bus: EventBus): Consumer {
  const { db, log, ids } = ctx;
  const apply = (trx: Transaction<OrderDatabase>, event: BusEvent, details: PaymentEventDetails) =>
    applyPaymentEvent(ctx, trx, event, details);
  return createConsumer({
    db,
    bus,
    log,
    ids,
    consumer: "order.payments",
    handlers: [
      on(PaymentAuthorizedSchema, (trx, { payment }, event) =>
        apply(trx, event, {
          type: "PaymentAuthorized",
          message: "The payment was authorized",
          payment,
          outcome: "changed",
          brings: true,
        }),
      ),
      on(PaymentCapturedSchema, (trx, { payment }, event) =>
        apply(trx, event, {
          type: "PaymentCaptured",
          message: "The payment was captured",
          payment,
          outcome: "changed",
          brings: true,
        }),
      ),
      on(PaymentFailedSchema, (trx, { payment }, event) =>
        apply(trx, event, { type: "PaymentFailed", message: "The payment was declined", payment, outcome: "failed" }),
      ),
      on(PaymentVoidedSchema, (trx, { payment }, event) =>
        apply(trx, event, { type: "PaymentVoided", message: "The payment was voided", payment, outcome: "failed" }),
      ),
      on(PaymentExpiredSchema, (trx, { payment }, event) =>
        apply(trx, event, {
          type: "PaymentExpired",
          message: "The payment expired",
          payment,
          outcome: "expired",
        }),
      ),
      on(PaymentMismatchedSchema, (trx, { payment }, event) =>
        apply(trx, event, {
          type: "PaymentMismatched",
          message: "The provider reported money that cannot be booked",
          payment,
          outcome: "changed",
          alarms: "always",
        }),
      ),
      on(PaymentRefundedSchema, (trx, { payment, refund }, event) =>
        apply(trx, event, {
          type: "PaymentRefunded",
          message: "Money was refunded",
          payment,
          refund,
          outcome: "changed",
        }),
      ),
      on(RefundFailedSchema, (trx, { payment, refund }, event) =>
        apply(trx, event, {
          type: "RefundFailed",
          message: "The provider rejected a refund",
          payment,
          refund,
          outcome: "changed",
          alarms: "going back",
        }),
      ),
    ],
  });
}

async function applyPaymentEvent(
  ctx: OrderContext,
  trx: Transaction<OrderDatabase>,
  event: BusEvent,
  details: PaymentEventDetails,
): Promise<void> {
  const { payment } = details;
  const parts = parseName("orders/{order}/payments/{payment}", payment?.name ?? "");
  if (payment === undefined || parts === undefined) {
    throw new Error(`${event.type} ${event.id} does not name a payment of an order`);
  }
  const key = { tenant: event.tenant, id: parts.order };
  const order = await changeOrder(trx, ctx, key, async (before) => {
    const projection = { id: parts.payment, sequence: event.sequence, ...fundsOf(payment) };
    const funds = await upsertPaymentProjection(trx, ctx.db.dialect, key, projection);
    const changes = changesOf(before, funds, details);
    const after = changes.at(-1)?.order ?? before;
    const over = effectiveState(after) === "EXPIRED" || effectiveState(after) === "CANCELLED";
    if (over && details.brings === true && holdsMoney(after) && after.lateSagaId === undefined) {
      changes.push(await startLatePayment(trx, ctx, after));
    }
    return changes;
  });
  if (order === undefined) {
    throw new Error(`${payment.name} belongs to no order of ${event.tenant}`);
  }
  const state = effectiveState(order);
  if (state === "PLACING" || state === "AWAITING_PAYMENT") {
    const signal: PaymentSignal = { outcome: details.outcome, message: payment.failureMessage || details.message };
    await ctx.sagas.signal(trx, order.sagaId, paymentSignal, signal, event.id);
  }

  function changesOf(before: Order, funds: Funds, { type, message, refund, alarms }: PaymentEventDetails): Change[] {
    const moment = { actor: "service:payment", at: ctx.clock.now().getTime() };
    const amount = amountText(before.currency, minorOf(refund?.amount) || amountOf(payment as Payment, type));
    const mismatch = type === "PaymentMismatched" ? payment?.mismatchMessage : "";
    const reason = mismatch || refund?.failureMessage || payment?.failureMessage || "";
    return moneyChanged(
      before,
      {
        type,
        message: reason === "" ? `${message}: ${amount}.` : `${message}: ${reason}.`,
        metadata: {
          payment: payment?.name ?? "",
          ...(refund && { refund: refund.id }),
          amount,
          ...(reason !== "" && { reason }),
        },
        funds,
        alarms:
          alarms === "always" ||
          (alarms === "going back" &&
            (payment?.settling === true || isGivenUp(before) || before.linesSagaId !== undefined)),
      },
      moment,
    );
  }
}

/** The amount that the event is about. */
function amountOf(payment: Payment, type: string): bigint {
  return minorOf(type === "PaymentCaptured" ? payment.capturedAmount : payment.amount);
}
