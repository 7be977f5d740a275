/** A payment as stored by the sandbox. */
export interface SandboxPayment {
  readonly reference: string;
  readonly openKey: string;
  readonly tenant: string;
  readonly payment: string;
  readonly currency: string;
  readonly amount: bigint;
  /** One of the known tokens, or `unknown`; see `storedToken`. */
  readonly token: string;
  readonly captureAutomatically: boolean;
  readonly clientSecret: string;
  readonly expiresAt: number;
}

export type SandboxStepKind =
  | "action_required"
  | "authorized"
  | "captured"
  | "failed"
  | "voided"
  | "refund_pending"
  | "refund_succeeded"
  | "refund_failed";

/** A past or scheduled event of a payment. */
export interface SandboxStep {
  readonly number: number;
  readonly effectiveAt: number;
  readonly kind: SandboxStepKind;
  readonly amount: bigint;
  readonly refundId: string;
  readonly refundReference: string;
  readonly message: string;
  readonly requestKey: string | null;
}

/** The state of a payment at a time. Sums are totals since the beginning, in minor units. */
export interface PaymentReport {
  readonly reference: string;
  readonly payment: { readonly tenant: string; readonly name: string };
  readonly amount: { readonly currency: string; readonly minor: bigint };
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly actionRequired: boolean;
  readonly failed: boolean;
  readonly voided: boolean;
  /** Why it was declined; empty otherwise. */
  readonly failureMessage: string;
  /** Both only if the shopper must act, or had to. */
  readonly clientSecret?: string;
  readonly redirectUrl?: string;
  readonly refunds: readonly RefundReport[];
}

export interface RefundReport {
  readonly reference: string;
  readonly id: string;
  readonly minor: bigint;
  readonly state: "PENDING" | "SUCCEEDED" | "FAILED";
  readonly failureMessage: string;
}

/** The id of the event that reports a step. */
export function eventIdOf(payment: SandboxPayment, step: SandboxStep): string {
  return `evt_${payment.reference}_${step.number}`;
}
