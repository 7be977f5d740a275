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
import type { Command } from "../../runtime/commands/command.ts";
import { rejecting } from "../../runtime/commands/rejecting.ts";
import { type Consumer, createConsumer } from "../../runtime/inbox/consumer.ts";
import { type MessageHandler, onAsCommand } from "../../runtime/inbox/handlers.ts";
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
import { needOrderAndSagas, sagaKeyOf } from "../saga/order-sagas.ts";
import { type PaymentSignal, paymentSignal } from "../saga/place-order.ts";
import { startLatePayment } from "../saga/start-late-payment.ts";
import { getOrder, recordChanges } from "../store/change-order.ts";
import { needPayments, projectPayment } from "../store/projections.ts";

type PaymentEventDesc =
  | typeof PaymentAuthorizedSchema
  | typeof PaymentCapturedSchema
  | typeof PaymentFailedSchema
  | typeof PaymentVoidedSchema
  | typeof PaymentExpiredSchema
  | typeof PaymentMismatchedSchema
  | typeof PaymentRefundedSchema
  | typeof RefundFailedSchema;

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
  const { db, runCommands, log, ids } = ctx;
  const on = <Desc extends PaymentEventDesc>(
    schema: Desc,
    details: Omit<PaymentEventDetails, "payment" | "refund">,
  ): MessageHandler<OrderDatabase> =>
    onAsCommand<Desc, OrderDatabase>(schema, async (_, received) =>
      received.map(({ message, event }) => applyPaymentEvent(ctx, event, { ...details, ...moneyOf(message) })),
    );
  return createConsumer({
    db,
    bus,
    log,
    ids,
    runCommands,
    consumer: "order.payments",
    handlers: [
      on(PaymentAuthorizedSchema, {
        type: "PaymentAuthorized",
        message: "The payment was authorized",
        outcome: "changed",
        brings: true,
      }),
      on(PaymentCapturedSchema, {
        type: "PaymentCaptured",
        message: "The payment was captured",
        outcome: "changed",
        brings: true,
      }),
      on(PaymentFailedSchema, { type: "PaymentFailed", message: "The payment was declined", outcome: "failed" }),
      on(PaymentVoidedSchema, { type: "PaymentVoided", message: "The payment was voided", outcome: "failed" }),
      on(PaymentExpiredSchema, { type: "PaymentExpired", message: "The payment expired", outcome: "expired" }),
      on(PaymentMismatchedSchema, {
        type: "PaymentMismatched",
        message: "The provider reported money that cannot be booked",
        outcome: "changed",
        alarms: "always",
      }),
      on(PaymentRefundedSchema, { type: "PaymentRefunded", message: "Money was refunded", outcome: "changed" }),
      on(RefundFailedSchema, {
        type: "RefundFailed",
        message: "The provider rejected a refund",
        outcome: "changed",
        alarms: "going back",
      }),
    ],
  });
}

/** The payment of an event, and the refund that it is about, if any. */
function moneyOf(message: object): Pick<PaymentEventDetails, "payment" | "refund"> {
  const { payment, refund } = message as { readonly payment?: Payment; readonly refund?: Refund };
  return { payment, refund };
}

function applyPaymentEvent(ctx: OrderContext, event: BusEvent, details: PaymentEventDetails): Command<void> {
  const { payment } = details;
  const parts = parseName("orders/{order}/payments/{payment}", payment?.name ?? "");
  if (payment === undefined || parts === undefined) {
    return rejecting(new Error(`${event.type} ${event.id} does not name a payment of an order`));
  }
  const key = { tenant: event.tenant, id: parts.order };
  return {
    keys(need) {
      needOrderAndSagas(ctx, need, key);
      needPayments(need, key);
    },
    decide(batch) {
      const before = getOrder(batch, key);
      if (before === undefined) {
        throw new Error(`${payment.name} belongs to no order of ${event.tenant}`);
      }
      const projection = { id: parts.payment, sequence: event.sequence, ...fundsOf(payment) };
      const changes = changesOf(before, projectPayment(batch, key, projection), details);
      const after = changes.at(-1)?.order ?? before;
      const over = effectiveState(after) === "EXPIRED" || effectiveState(after) === "CANCELLED";
      if (over && details.brings === true && holdsMoney(after) && after.lateSagaId === undefined) {
        changes.push(startLatePayment(batch, ctx, after));
      }
      const order = recordChanges(batch, ctx, before, changes);
      const state = effectiveState(order);
      if (state === "PLACING" || state === "AWAITING_PAYMENT") {
        const signal: PaymentSignal = { outcome: details.outcome, message: payment.failureMessage || details.message };
        ctx.sagas.inBatch.signal(batch, sagaKeyOf(key, order.sagaId), paymentSignal, signal, event.id);
      }
    },
  };

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
