import type { Operation } from "../domain/operation.ts";
import type { Payment, Refund } from "../domain/payment.ts";

/** A payment with its refunds and operations, as commands read and write it. */
export interface PaymentAggregate {
  readonly payment: Payment;
  /** The oldest first. */
  readonly refunds: readonly Refund[];
  /** The oldest first. */
  readonly operations: readonly StoredOperation[];
  /** When the provider is polled next; see `DueColumns`. */
  readonly poll: { readonly dueAt: number | undefined; readonly attempt: number };
}

/** An operation with its schedule, and the key and response of the caller who requested it. */
export interface StoredOperation extends Operation {
  readonly createdAt: number;
  /** When a worker executes it; undefined once it has ended. */
  readonly dueAt: number | undefined;
  /** Undefined if no caller requested it, or once it is pruned. */
  readonly requestKey: string | undefined;
  readonly requestHash: string;
  /** The response in the binary format; undefined while PENDING, and once pruned. */
  readonly response: Uint8Array | undefined;
  readonly pruneAt: number | undefined;
  /** The W3C trace context of the call that planned it, which its repetitions continue. */
  readonly traceparent: string | undefined;
}
