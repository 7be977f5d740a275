import type { Amount } from "../../../runtime/values/money.ts";
import type { PaymentContext } from "../../context.ts";
import type { Payment } from "../../domain/payment.ts";
import type { PaymentKey } from "../../store/payments.ts";

/** A caller's terms of a payment, which a repeated request must match. */
export interface PaymentTerms {
  readonly amount: Amount;
  readonly provider: string;
  readonly captureAutomatically: boolean;
}

/** Creates a payment without any known facts. */
export function newPayment({ ids, clock }: PaymentContext, key: PaymentKey, terms: PaymentTerms): Payment {
  const nowMs = clock.now().getTime();
  return {
    ...key,
    uid: ids.next(),
    provider: terms.provider,
    reference: undefined,
    currency: terms.amount.currency,
    amount: terms.amount.minor,
    authorized: 0n,
    captured: 0n,
    refunded: 0n,
    actionRequired: false,
    failed: false,
    expired: false,
    voided: false,
    captureAutomatically: terms.captureAutomatically,
    settling: false,
    settleReason: "",
    clientSecret: "",
    redirectUrl: "",
    failureMessage: "",
    mismatch: "",
    createdAt: nowMs,
    updatedAt: nowMs,
    expiresAt: nowMs,
    version: 1,
  };
}

/** Creates a payment that was settled before it was opened. It has no provider. */
export function tombstone(
  ctx: PaymentContext,
  key: PaymentKey,
  { reason, amount = { currency: "", minor: 0n } }: { readonly reason: string; readonly amount?: Amount | undefined },
): Payment {
  const terms = { amount, provider: "", captureAutomatically: false };
  return { ...newPayment(ctx, key, terms), voided: true, settling: true, settleReason: reason };
}
