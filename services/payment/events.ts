import { create } from "@bufbuild/protobuf";
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentExpiredSchema,
  PaymentFailedSchema,
  PaymentMismatchedSchema,
  PaymentRefundedSchema,
  PaymentVoidedSchema,
  RefundFailedSchema,
} from "../../gen/docket/payment/v1/payment_events_pb.js";
import { type OutboxEvent, outboxEvent } from "../runtime/outbox/outbox.ts";
import type { Payment, Refund } from "./domain/payment.ts";
import type { PaymentChange } from "./domain/payment-change.ts";
import { toPaymentMessage, toRefundMessage } from "./messages.ts";

/**
 * The event of each published change. It carries the whole payment as of after the change; the aggregate is the
 * payment's order.
 */
export function paymentEvent(change: PaymentChange, payment: Payment, refunds: readonly Refund[]): OutboxEvent {
  const of = { tenant: payment.tenant, aggregate: `orders/${payment.orderId}` };
  // Only the shopper may see the secrets that open the payment at its provider.
  const snapshot = { payment: { ...toPaymentMessage(payment, refunds), clientSecret: "", redirectUrl: "" } };
  switch (change.kind) {
    case "authorized":
      return outboxEvent(PaymentAuthorizedSchema, create(PaymentAuthorizedSchema, snapshot), of);
    case "captured":
      return outboxEvent(PaymentCapturedSchema, create(PaymentCapturedSchema, snapshot), of);
    case "failed":
      return outboxEvent(PaymentFailedSchema, create(PaymentFailedSchema, snapshot), of);
    case "voided":
      return outboxEvent(PaymentVoidedSchema, create(PaymentVoidedSchema, snapshot), of);
    case "expired":
      return outboxEvent(PaymentExpiredSchema, create(PaymentExpiredSchema, snapshot), of);
    case "mismatched":
      return outboxEvent(PaymentMismatchedSchema, create(PaymentMismatchedSchema, snapshot), of);
    case "refunded": {
      const refund = toRefundMessage(change.refund, payment.currency);
      return outboxEvent(PaymentRefundedSchema, create(PaymentRefundedSchema, { ...snapshot, refund }), of);
    }
    case "refund-failed": {
      const refund = toRefundMessage(change.refund, payment.currency);
      return outboxEvent(RefundFailedSchema, create(RefundFailedSchema, { ...snapshot, refund }), of);
    }
    default:
      return change satisfies never;
  }
}
