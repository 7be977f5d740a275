import { type PaymentFact, type PaymentState, stateOf } from "./payment-state.ts";
import type { RefundState } from "./refund-state.ts";

/** A payment as this service holds it. Sums are minor units of `currency`; times are epoch milliseconds. */
export interface Payment {
  readonly tenant: string;
  /** Of this row, unique among all tenants; later payments sort behind earlier ones. */
  readonly uid: string;
  readonly orderId: string;
  readonly paymentId: string;
  readonly provider: string;
  /** The provider's own id, once it is known. */
  readonly reference: string | undefined;
  /** Empty for a name that was settled before it was opened: such a payment was never asked of anybody. */
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
  /** Whatever it holds is given back, also what comes later. */
  readonly settling: boolean;
  readonly settleReason: string;
  readonly clientSecret: string;
  readonly redirectUrl: string;
  readonly failureMessage: string;
  /** Money at the provider that cannot be booked here, in words; empty for none. */
  readonly mismatch: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly expiresAt: number;
  readonly version: number;
}

/** Money that goes back. */
export interface Refund {
  /** `1`, `2`, … within the payment for ours; `x-` and the provider's id for one that was made at the provider. */
  readonly id: string;
  readonly reference: string | undefined;
  readonly amount: bigint;
  readonly state: RefundState;
  /** Made because the payment was settled, and not to be made again where it was refused. */
  readonly settlement: boolean;
  readonly reason: string;
  readonly failureMessage: string;
  readonly createdAt: number;
}

/** One entry of the money ledger: the sums by kind are the payment's columns, always. */
export interface Movement {
  readonly kind: MovementKind;
  /** By how much the column grew; below zero only for a refund that the bank sent back. */
  readonly amount: bigint;
}
export const MOVEMENT_KINDS = ["AUTHORIZATION", "CAPTURE", "REFUND"] as const;
export type MovementKind = (typeof MOVEMENT_KINDS)[number];

/** What is known of a payment. */
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

/** What was promised and neither taken nor given up. */
export function capturable(payment: Payment): bigint {
  return payment.voided ? 0n : payment.authorized - payment.captured;
}

/** What was taken and neither went back nor is on its way back. */
export function refundable(payment: Payment, refunds: readonly Refund[]): bigint {
  return payment.captured - sumOf(refunds.filter((refund) => refund.state !== "FAILED"));
}

export function sumOf(items: readonly { readonly amount: bigint }[]): bigint {
  return items.reduce((sum, item) => sum + item.amount, 0n);
}

/** A refund about to be asked for, numbered within its payment. */
export function planRefund(
  refunds: readonly Refund[],
  asked: Pick<Refund, "amount" | "reason" | "settlement" | "createdAt">,
): Refund {
  const ours = refunds.filter(({ id }) => /^\d+$/.test(id));
  return { ...asked, id: `${ours.length + 1}`, reference: undefined, state: "PENDING", failureMessage: "" };
}
