import { type Payment, paymentName } from "./payment.ts";

/** Something to be done at the provider: written before it is tried, repeated with the same key until it is answered. */
export interface Operation {
  readonly id: string;
  readonly tenant: string;
  readonly paymentUid: string;
  readonly kind: OperationKind;
  /** What the provider removes duplicates by. */
  readonly key: string;
  readonly state: OperationState;
  /** What to capture or to refund; for a void, what was authorized when it was decided. */
  readonly amount: bigint;
  /** Of a refund. */
  readonly refundId: string | undefined;
  /** What the shopper's payment method is to the provider; forgotten when the payment is opened. */
  readonly paymentToken: string;
  /** Why the provider refused. */
  readonly message: string;
  readonly attempt: number;
}

export const OPERATION_KINDS = ["OPEN", "CAPTURE", "VOID", "REFUND"] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

/** PENDING until the provider answers: DONE or REFUSED, for good. Silence, whatever its length, is PENDING. */
export const OPERATION_STATES = ["PENDING", "DONE", "REFUSED"] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/** The running operation of a kind, if there is one. */
export function pendingOf(operations: readonly Operation[], kind: OperationKind): Operation | undefined {
  return operations.find((operation) => operation.kind === kind && operation.state === "PENDING");
}

/** A new operation of a payment, with a key of its own that its repetitions share. */
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
  /** 1 where whoever plans it carries it out at once. */
  readonly attempt?: number;
}

const KEY_WORD = { OPEN: "open", CAPTURE: "captures", VOID: "voids", REFUND: "refunds" } as const satisfies Record<
  OperationKind,
  string
>;
