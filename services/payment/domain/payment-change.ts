import { type Movement, type MovementKind, type Payment, paymentState, type Refund } from "./payment.ts";

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

/** Replaces or adds refunds that are new or have changed. */
export function withRefunds(payment: Payment, refunds: readonly Refund[], changed: readonly Refund[]): Merged {
  const kept = refunds.map((refund) => changed.find(({ id }) => id === refund.id) ?? refund);
  const added = changed.filter(({ id }) => !refunds.some((refund) => refund.id === id));
  return changeBetween(payment, refunds, payment, [...kept, ...added]);
}

/** The change from one state of a payment and its refunds to another. */
export function changeBetween(
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

/** Whether a field of `b` is different in `a`. */
export function differ<T extends object>(a: T, b: T): boolean {
  return (Object.keys(b) as (keyof T)[]).some((key) => a[key] !== b[key]);
}

/** The known text, or the new one if there is none yet. */
export function first(known: string, heard: string | undefined): string {
  return known === "" ? (heard ?? "") : known;
}
