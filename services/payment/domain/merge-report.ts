import { amountText } from "../../runtime/values/amount-text.ts";
import { type Payment, type Refund, sumOf } from "./payment.ts";
import { changeBetween, differ, first, type Merged } from "./payment-change.ts";
import type { ProviderReport, RefundReport } from "./provider-report.ts";
import { mergeRefundState } from "./refund-state.ts";

export type MergeResult =
  | Merged
  /**
   * The report cannot be about this payment, or its money cannot be booked on it: a person must decide. `merged`
   * records on the payment the money that the provider holds; it changes nothing if the report holds none.
   */
  | { readonly kind: "mismatch"; readonly problem: string; readonly merged: Merged }
  /** The report depends on one that has not arrived yet, and can be merged after it. */
  | { readonly kind: "early"; readonly problem: string };

/**
 * Merges a provider's report into the known state. Money is booked as reported, even if it exceeds the requested
 * amount. Merging the same reports in any order and any number of times yields the same payment, except for rejected
 * reports; of several messages the first one merged stays.
 */
export function mergeReport(
  payment: Payment,
  refunds: readonly Refund[],
  report: ProviderReport,
  nowMs: number,
): MergeResult {
  const problem = mismatchOf(payment, report);
  if (problem !== undefined) {
    return mismatched(payment, refunds, report, problem);
  }
  const merged = mergeRefunds(refunds, report.refunds, nowMs);
  if (typeof merged === "string") {
    return mismatched(payment, refunds, report, merged);
  }
  const captured = max(payment.captured, report.captured);
  const refunded = sumOf(merged.filter((refund) => refund.state === "SUCCEEDED"));
  if (refunded > captured) {
    const text = (sum: bigint): string => amountText(payment.currency, sum);
    return { kind: "early", problem: `${text(refunded)} refunded of ${text(captured)} captured` };
  }
  const next: Payment = {
    ...payment,
    reference: report.reference,
    authorized: max(payment.authorized, max(report.authorized, report.captured)),
    captured,
    refunded,
    actionRequired: payment.actionRequired || report.actionRequired,
    failed: payment.failed || report.failed,
    voided: payment.voided || report.voided,
    failureMessage: first(payment.failureMessage, report.failureMessage),
    clientSecret: first(payment.clientSecret, report.clientSecret),
    redirectUrl: first(payment.redirectUrl, report.redirectUrl),
  };
  return changeBetween(payment, refunds, next, merged);
}

/** The first of several mismatches stays, so that a poll that repeats it changes nothing. */
function mismatched(
  payment: Payment,
  refunds: readonly Refund[],
  { amount, authorized, captured }: ProviderReport,
  problem: string,
): MergeResult {
  const currency = amount?.currency ?? payment.currency;
  const text = (sum: bigint): string => amountText(currency, sum);
  const held = `the provider holds ${text(captured)} captured and ${text(authorized)} authorized`;
  const mismatch = captured > 0n || authorized > 0n ? first(payment.mismatch, `${problem}; ${held}`) : payment.mismatch;
  return { kind: "mismatch", problem, merged: changeBetween(payment, refunds, { ...payment, mismatch }, refunds) };
}

function mismatchOf(payment: Payment, report: ProviderReport): string | undefined {
  if (payment.reference !== undefined && payment.reference !== report.reference) {
    return `the provider's id is ${report.reference}, expected ${payment.reference}`;
  }
  for (const { amount } of [report, ...report.refunds]) {
    if (amount !== undefined && amount.currency !== payment.currency) {
      return `the currency is ${amount.currency}, expected ${payment.currency}`;
    }
  }
  for (const sum of ["authorized", "captured"] as const) {
    if (report[sum] < 0n) {
      const { currency } = payment;
      return `${amountText(currency, report[sum])} ${sum} of ${amountText(currency, payment.amount)}`;
    }
  }
  return undefined;
}

function mergeRefunds(
  refunds: readonly Refund[],
  reports: readonly RefundReport[],
  nowMs: number,
): readonly Refund[] | string {
  const merged = [...refunds];
  for (const report of reports) {
    const index = merged.findIndex((refund) => refund.id === report.id || refund.reference === report.reference);
    const known = merged[index];
    if (known === undefined) {
      merged.push(foreignRefund(report, nowMs));
    } else if (known.amount !== report.amount.minor) {
      const { currency } = report.amount;
      return `refund ${known.id} is ${amountText(currency, report.amount.minor)}, expected ${amountText(currency, known.amount)}`;
    } else {
      const next: Refund = {
        ...known,
        reference: report.reference,
        state: mergeRefundState(known.state, report.state),
        failureMessage: first(known.failureMessage, report.failureMessage),
      };
      merged[index] = differ(known, next) ? next : known;
    }
  }
  return merged;
}

/** A refund made at the provider. */
function foreignRefund(report: RefundReport, nowMs: number): Refund {
  return {
    id: `x-${report.reference}`,
    reference: report.reference,
    amount: report.amount.minor,
    state: report.state,
    settlement: false,
    reason: "made at the provider",
    failureMessage: report.failureMessage ?? "",
    createdAt: nowMs,
  };
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
