import { amountText } from "../../runtime/values/amount-text.ts";
import { type Movement, type MovementKind, type Payment, paymentState, type Refund, sumOf } from "./payment.ts";
import type { ProviderReport, RefundReport } from "./provider-report.ts";
import { mergeRefundState } from "./refund-state.ts";

/** A change that is published as an event. */
export type PaymentChange =
  | { readonly kind: "authorized" | "captured" | "failed" | "voided" | "expired" | "mismatched" }
  | { readonly kind: "refunded" | "refund-failed"; readonly refund: Refund };

/** A payment after a change, with the resulting ledger entries and events. The writer sets version and time. */
export interface Merged {
  readonly kind: "merged";
  readonly payment: Payment;
  /** Every refund of the payment, the oldest first. */
  readonly refunds: readonly Refund[];
  readonly movements: readonly Movement[];
  readonly changes: readonly PaymentChange[];
  /** Whether anything must be written. */
  readonly changed: boolean;
}

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
  return compare(payment, refunds, next, merged);
}

/** Expires a payment that was not paid in time. */
export function expire(payment: Payment, refunds: readonly Refund[]): Merged {
  return compare(payment, refunds, { ...payment, expired: true }, refunds);
}

/** Fails a payment that the provider refused to open. */
export function refuse(payment: Payment, refunds: readonly Refund[], message: string): Merged {
  const failureMessage = first(payment.failureMessage, message);
  return compare(payment, refunds, { ...payment, failed: true, failureMessage }, refunds);
}

/** Settles a payment: whatever it holds, now or later, is refunded. */
export function settle(payment: Payment, refunds: readonly Refund[], reason: string): Merged {
  const settleReason = payment.settling ? payment.settleReason : reason;
  return compare(payment, refunds, { ...payment, settling: true, settleReason }, refunds);
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

/** Replaces or adds refunds that are new or have changed. */
export function withRefunds(payment: Payment, refunds: readonly Refund[], changed: readonly Refund[]): Merged {
  const kept = refunds.map((refund) => changed.find(({ id }) => id === refund.id) ?? refund);
  const added = changed.filter(({ id }) => !refunds.some((refund) => refund.id === id));
  return compare(payment, refunds, payment, [...kept, ...added]);
}

function compare(
  before: Payment,
  refundsBefore: readonly Refund[],
  after: Payment,
  refundsAfter: readonly Refund[],
): Merged {
  const touchedRefunds = refundsAfter.filter((refund) => !refundsBefore.includes(refund));
  const changed = touchedRefunds.length > 0 || differ(before, after);
  return {
    kind: "merged",
    payment: after,
    refunds: refundsAfter,
    movements: movementsBetween(before, after),
    changes: changesBetween(before, refundsBefore, after, touchedRefunds),
    changed,
  };
}

/** Combines two consecutive changes into one. */
export function then(first: Merged, second: Merged): Merged {
  return {
    ...second,
    movements: [...first.movements, ...second.movements],
    changes: [...first.changes, ...second.changes],
    changed: first.changed || second.changed,
  };
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
  return { kind: "mismatch", problem, merged: compare(payment, refunds, { ...payment, mismatch }, refunds) };
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

function movementsBetween(before: Payment, after: Payment): readonly Movement[] {
  const grown: readonly (readonly [MovementKind, bigint])[] = [
    ["AUTHORIZATION", after.authorized - before.authorized],
    ["CAPTURE", after.captured - before.captured],
    ["REFUND", after.refunded - before.refunded],
  ];
  return grown.filter(([, amount]) => amount !== 0n).map(([kind, amount]) => ({ kind, amount }));
}

/** An authorization that was captured in the same report is published as the capture alone. */
function changesBetween(
  before: Payment,
  refundsBefore: readonly Refund[],
  after: Payment,
  touchedRefunds: readonly Refund[],
): readonly PaymentChange[] {
  const changes: PaymentChange[] = [];
  const state = paymentState(after);
  if (after.captured > before.captured) {
    changes.push({ kind: "captured" });
  } else if (after.authorized > before.authorized && state !== "VOIDED") {
    changes.push({ kind: "authorized" });
  }
  if (after.mismatch !== before.mismatch) {
    changes.push({ kind: "mismatched" });
  }
  if (state !== paymentState(before)) {
    const kind = { FAILED: "failed", VOIDED: "voided", EXPIRED: "expired" } as const;
    if (state === "FAILED" || state === "VOIDED" || state === "EXPIRED") {
      changes.push({ kind: kind[state] });
    }
  }
  for (const refund of touchedRefunds) {
    const old = refundsBefore.find(({ id }) => id === refund.id)?.state;
    if (refund.state !== old && refund.state !== "PENDING") {
      changes.push({ kind: refund.state === "SUCCEEDED" ? "refunded" : "refund-failed", refund });
    }
  }
  return changes;
}

function differ<T extends object>(a: T, b: T): boolean {
  return (Object.keys(b) as (keyof T)[]).some((key) => a[key] !== b[key]);
}

function first(known: string, heard: string | undefined): string {
  return known === "" ? (heard ?? "") : known;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
