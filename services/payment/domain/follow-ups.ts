import { type Operation, pendingOf } from "./operation.ts";
import { capturable, type Payment, paymentState, type Refund, sumOf } from "./payment.ts";

/** The next operation at the provider that no caller has requested. */
export interface FollowUp {
  readonly kind: "VOID" | "REFUND";
  readonly amount: bigint;
}

/**
 * Plans the next operations of a settled or expired payment. Evaluated after every change of the payment:
 *
 * - a settled payment is voided while it can still be paid, and refunded once it was, however late that is reported;
 * - an expired payment is voided unless it was authorized. A late payment is kept, for the order to decide.
 *
 * While an opening or a capture is pending, nothing is planned, as its outcome is another change. A rejected void is
 * retried only after a further authorization; money whose settling refund was rejected is left to a person.
 */
export function followUps(
  payment: Payment,
  refunds: readonly Refund[],
  operations: readonly Operation[],
): readonly FollowUp[] {
  if (pendingOf(operations, "OPEN") !== undefined || pendingOf(operations, "CAPTURE") !== undefined) {
    return [];
  }
  const needed: FollowUp[] = [];
  if (
    (payment.settling || paymentState(payment) === "EXPIRED") &&
    canStillBring(payment) &&
    !wasVoidTried(payment, operations)
  ) {
    needed.push({ kind: "VOID", amount: payment.authorized });
  }
  const kept = settleable(payment, refunds);
  if (payment.settling && kept > 0n) {
    needed.push({ kind: "REFUND", amount: kept });
  }
  return needed;
}

/** Captured money that no refund covers. A rejected refund counts as covering only if it settles the payment. */
export function settleable(payment: Payment, refunds: readonly Refund[]): bigint {
  return payment.captured - sumOf(refunds.filter((refund) => refund.state !== "FAILED" || refund.settlement));
}

/** Whether the provider may still capture money for the payment. */
function canStillBring(payment: Payment): boolean {
  return payment.reference !== undefined && !payment.voided && (payment.authorized === 0n || capturable(payment) > 0n);
}

function wasVoidTried(payment: Payment, operations: readonly Operation[]): boolean {
  return operations.some((operation) => operation.kind === "VOID" && operation.amount === payment.authorized);
}
