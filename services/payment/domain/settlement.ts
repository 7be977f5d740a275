import type { Payment, Refund } from "./payment.ts";
import { changeBetween, first, type Merged, withRefunds } from "./payment-change.ts";

/** Changes of a payment that are decided here, not reported by its provider. */

/** Expires a payment that was not paid in time. */
export function expire(payment: Payment, refunds: readonly Refund[]): Merged {
  return changeBetween(payment, refunds, { ...payment, expired: true }, refunds);
}

/** Fails a payment that the provider refused to open. */
export function refuse(payment: Payment, refunds: readonly Refund[], message: string): Merged {
  const failureMessage = first(payment.failureMessage, message);
  return changeBetween(payment, refunds, { ...payment, failed: true, failureMessage }, refunds);
}

/** Settles a payment: whatever it holds, now or later, is refunded. */
export function settle(payment: Payment, refunds: readonly Refund[], reason: string): Merged {
  const settleReason = payment.settling ? payment.settleReason : reason;
  return changeBetween(payment, refunds, { ...payment, settling: true, settleReason }, refunds);
}

/** Marks a payment's rejected settling refunds as requested by a caller, so that their amounts are refunded again. */
export function reconsiderRefused(payment: Payment, refunds: readonly Refund[]): Merged {
  const refused = refunds.filter(({ state, settlement }) => state === "FAILED" && settlement);
  return withRefunds(
    payment,
    refunds,
    refused.map((refund) => ({ ...refund, settlement: false })),
  );
}
