import { type Payment, paymentName } from "./payment.ts";

/**
 * An operation at the provider: written before the first attempt, and repeated with the same key until the provider
 * responds.
 */
export interface Operation {
  readonly id: string;
  readonly tenant: string;
  readonly paymentUid: string;
  readonly kind: OperationKind;
  /** The provider's idempotency key. */
  readonly key: string;
  readonly state: OperationState;
  /** The amount to capture or refund; for a void, the amount authorized at the time of the decision. */
  readonly amount: bigint;
  /** For refunds. */
  readonly refundId: string | undefined;
  /** The provider's token of the shopper's payment method; erased once the payment is open. */
  readonly paymentToken: string;
  /** Why the provider rejected it. */
  readonly message: string;
  readonly attempt: number;
}

export const OPERATION_KINDS = ["OPEN", "CAPTURE", "VOID", "REFUND"] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

/**
 * PENDING until the provider responds, then permanently DONE or REFUSED. Without a response it stays PENDING, however
 * long that takes.
 */
export const OPERATION_STATES = ["PENDING", "DONE", "REFUSED"] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/** Returns the pending operation of a kind, if there is one. */
export function pendingOf(operations: readonly Operation[], kind: OperationKind): Operation | undefined {
  return operations.find((operation) => operation.kind === kind && operation.state === "PENDING");
}

/** Creates an operation of a payment, with a key of its own that all attempts share. */
export function planOperation(
  payment: Payment,
  operations: readonly Operation[],
  { id, kind, amount, refundId, paymentToken = "", attempt = 0 }: PlannedOperation,
): Operation {
  const nth = operations.filter((operation) => operation.kind === kind).length + 1;
  const subject = `${payment.tenant}/${paymentName(payment)}/${KEY_WORD[kind]}/${refundId ?? nth}`;
  return {
    id,
    tenant: payment.tenant,
    paymentUid: payment.uid,
    kind,
    key: subject,
    state: "PENDING",
    amount,
    refundId,
    paymentToken,
    message: "",
    attempt,
  };
}

export interface PlannedOperation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly amount: bigint;
  readonly refundId?: string;
  readonly paymentToken?: string;
  /** 1 if the process that plans it executes it at once. */
  readonly attempt?: number;
}

const KEY_WORD = { OPEN: "open", CAPTURE: "captures", VOID: "voids", REFUND: "refunds" } as const satisfies Record<
  OperationKind,
  string
>;
