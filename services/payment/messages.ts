import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Payment as PaymentMessage,
  PaymentSchema,
  Payment_State as PaymentStateNumber,
  type Refund as RefundMessage,
  RefundSchema,
  Refund_State as RefundStateNumber,
} from "../../gen/docket/payment/v1/payment_pb.js";
import { etagOf } from "../runtime/api/etag.ts";
import { parseName } from "../runtime/api/resource-name.ts";
import { toMoney } from "../runtime/values/money.ts";
import { capturable, type Payment, paymentName, paymentState, type Refund } from "./domain/payment.ts";
import type { PaymentKey } from "./store/payments.ts";

/** Converts a payment to its API message. */
export function toPaymentMessage(payment: Payment, refunds: readonly Refund[]): PaymentMessage {
  const { currency } = payment;
  const state = paymentState(payment);
  return create(PaymentSchema, {
    name: paymentName(payment),
    state: PaymentStateNumber[state],
    ...(currency !== "" && {
      amount: toMoney({ currency, minor: payment.amount }),
      authorizedAmount: toMoney({ currency, minor: payment.authorized }),
      capturedAmount: toMoney({ currency, minor: payment.captured }),
      refundedAmount: toMoney({ currency, minor: payment.refunded }),
      capturableAmount: toMoney({ currency, minor: capturable(payment) }),
      expireTime: timestampFromMs(payment.expiresAt),
    }),
    provider: payment.provider,
    providerReference: payment.reference ?? "",
    ...(state === "REQUIRES_ACTION" && { clientSecret: payment.clientSecret, redirectUrl: payment.redirectUrl }),
    failureMessage: payment.failureMessage,
    refunds: refunds.map((refund) => toRefundMessage(refund, currency)),
    captureAutomatically: payment.captureAutomatically,
    createTime: timestampFromMs(payment.createdAt),
    updateTime: timestampFromMs(payment.updatedAt),
    etag: etagOf(payment.version),
    settling: payment.settling,
    mismatchMessage: payment.mismatch,
  });
}

/** Converts a refund to its API message. */
export function toRefundMessage(refund: Refund, currency: string): RefundMessage {
  return create(RefundSchema, {
    id: refund.id,
    amount: toMoney({ currency, minor: refund.amount }),
    state: RefundStateNumber[refund.state],
    reason: refund.reason,
    failureMessage: refund.failureMessage,
    createTime: timestampFromMs(refund.createdAt),
  });
}

/** Parses a payment's name; undefined if it is malformed. */
export function parsePaymentName(tenant: string, name: string): PaymentKey | undefined {
  const parts = parseName("orders/{order}/payments/{payment}", name);
  return parts && { tenant, orderId: parts.order, paymentId: parts.payment };
}

/** Returns the key in a payment's name that the proto's rules have validated. */
export function paymentKeyOf(tenant: string, name: string): PaymentKey {
  const key = parsePaymentName(tenant, name);
  if (key === undefined) {
    throw new RangeError(`${name} is not the name of a payment`);
  }
  return key;
}
