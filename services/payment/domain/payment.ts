import { type PaymentFact, type PaymentState, stateOf } from "./payment-state.ts";
import type { RefundState } from "./refund-state.ts";

/** A payment. Sums are in minor units of `currency`; times are epoch milliseconds. */
export interface Payment {
  readonly tenant: string;
  /** Row id, unique among all tenants; later payments sort after earlier ones. */
  readonly uid: string;
  readonly orderId: string;
  readonly paymentId: string;
  readonly provider: string;
  /** The provider's own id, once known. */
  readonly reference: string | undefined;
  /** Empty for a name that was settled before it was opened: no provider has this payment. */
  readonly currency: string;
  readonly amount: bigint;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly actionRequired: boolean;
  readonly failed: boolean;
  readonly expired: boolean;
  readonly voided: boolean;
  readonly captureAutomatically: boolean;
  /** Whether all money is refunded, including money that arrives later. */
  readonly settling: boolean;
  readonly settleReason: string;
  readonly clientSecret: string;
  readonly redirectUrl: string;
  readonly failureMessage: string;
  /** Description of money at the provider that cannot be booked; empty for none. */
  readonly mismatch: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly expiresAt: number;
  readonly version: number;
}

/** A refund of a payment. */
export interface Refund {
  /**
   * `1`, `2`, … within the payment for Docket's own refunds; `x-` and the provider's id for one made at the provider.
   */
  readonly id: string;
  readonly reference: string | undefined;
  readonly amount: bigint;
  readonly state: RefundState;
  /** Created by settling the payment, and not to be retried once rejected. */
  readonly settlement: boolean;
  readonly reason: string;
  readonly failureMessage: string;
  readonly createdAt: number;
}

/** One entry of the money ledger. The entries' sums by kind always equal the payment's columns. */
export interface Movement {
  readonly kind: MovementKind;
  /** Increase of the column; negative only for a refund that the bank returned. */
  readonly amount: bigint;
}
export const MOVEMENT_KINDS = ["AUTHORIZATION", "CAPTURE", "REFUND"] as const;
export type MovementKind = (typeof MOVEMENT_KINDS)[number];

/** The known facts of a payment. */
export function factsOf(payment: Payment): Set<PaymentFact> {
  const known: readonly (readonly [PaymentFact, boolean])[] = [
    ["action_required", payment.actionRequired],
    ["failed", payment.failed],
    ["expired", payment.expired],
    ["authorized", payment.authorized > 0n],
    ["voided", payment.voided],
    ["captured", payment.captured > 0n],
  ];
  return new Set(known.filter(([, holds]) => holds).map(([fact]) => fact));
}

export function paymentState(payment: Payment): PaymentState {
  return stateOf(factsOf(payment));
}

/** The resource name, `orders/{order}/payments/{payment}`. */
export function paymentName(payment: Pick<Payment, "orderId" | "paymentId">): string {
  return `orders/${payment.orderId}/payments/${payment.paymentId}`;
}

/** The amount authorized and neither captured nor voided. */
export function capturable(payment: Payment): bigint {
  return payment.voided ? 0n : payment.authorized - payment.captured;
}

/** The amount captured and neither refunded nor in a pending refund. */
export function refundable(payment: Payment, refunds: readonly Refund[]): bigint {
  return payment.captured - sumOf(refunds.filter((refund) => refund.state !== "FAILED"));
}

export function sumOf(items: readonly { readonly amount: bigint }[]): bigint {
  return items.reduce((sum, item) => sum + item.amount, 0n);
}

/** A refund to be requested, numbered within its payment. */
export function planRefund(
  refunds: readonly Refund[],
  asked: Pick<Refund, "amount" | "reason" | "settlement" | "createdAt">,
): Refund {
  const ours = refunds.filter(({ id }) => /^\d+$/.test(id));
  return { ...asked, id: `${ours.length + 1}`, reference: undefined, state: "PENDING", failureMessage: "" };
}
