import { type Operation, pendingOf } from "./operation.ts";
import { capturable, type Payment, paymentState, type Refund, sumOf } from "./payment.ts";

/** What has to be asked of the provider next, without anybody asking for it. */
export interface FollowUp {
  readonly kind: "VOID" | "REFUND";
  readonly amount: bigint;
}

/**
 * What a payment that is given up still needs, looked at after every change of it:
 *
 * - what is settled is voided where money can still come, and refunded where it came, however late it is heard of;
 * - what expired is voided as long as nothing was promised. Money that came all the same stays, for its order to decide.
 *
 * While an opening or a capture runs it waits: their answer is a change too. A refused void is tried again only when more
 * was promised since; money whose settling refund was refused is left to a person.
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

/** Whether anything can follow from a report about the payment. */
export function isGivenUp(payment: Payment): boolean {
  return payment.settling || payment.expired;
}

/** Captured money that no refund has touched, save refunds that somebody asked for and that were refused. */
export function settleable(payment: Payment, refunds: readonly Refund[]): bigint {
  return payment.captured - sumOf(refunds.filter((refund) => refund.state !== "FAILED" || refund.settlement));
}

/** Whether the provider may still take money for it. */
function canStillBring(payment: Payment): boolean {
  return payment.reference !== undefined && !payment.voided && (payment.authorized === 0n || capturable(payment) > 0n);
}

function wasVoidTried(payment: Payment, operations: readonly Operation[]): boolean {
  return operations.some((operation) => operation.kind === "VOID" && operation.amount === payment.authorized);
}
