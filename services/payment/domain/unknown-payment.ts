import type { Payment, Refund } from "./payment.ts";
import type { ProviderReport } from "./provider-report.ts";

/**
 * The report of a payment that its provider no longer knows, for example a sandbox that was emptied: it can bring no
 * money, so it is failed or voided, and its pending refunds have failed. Money that was captured stays booked. A later
 * report with more money is merged as usual.
 */
export function unknownPaymentReport(payment: Payment, refunds: readonly Refund[]): ProviderReport {
  const failureMessage = `${payment.provider} does not know the payment`;
  return {
    reference: payment.reference ?? "",
    authorized: 0n,
    captured: 0n,
    actionRequired: false,
    failed: true,
    voided: true,
    failureMessage,
    refunds: refunds.flatMap(({ id, state, reference: known, amount: minor }) => {
      const amount = { currency: payment.currency, minor };
      // A refund without a reference was not answered yet; its operation ends it.
      return state === "PENDING" && known !== undefined
        ? [{ id, reference: known, amount, state: "FAILED", failureMessage }]
        : [];
    }),
  };
}
