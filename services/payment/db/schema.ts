import type { CallbackInboxTables } from "../../runtime/callbacks/tables.ts";
import type { Integer64 } from "../../runtime/db/columns.ts";
import type { DueColumns } from "../../runtime/jobs/claim-due.ts";
import type { OutboxTables } from "../../runtime/outbox/tables.ts";
import type { OperationKind, OperationState } from "../domain/operation.ts";
import type { MovementKind } from "../domain/payment.ts";
import type { PaymentState } from "../domain/payment-state.ts";
import type { RefundState } from "../domain/refund-state.ts";

/** A payment. `id` is its uid; `due_at` is the time of the next poll of the provider. */
export interface PaymentsTable extends DueColumns {
  tenant_id: string;
  order_id: string;
  payment_id: string;
  provider: string;
  provider_reference: string | null;
  /** Empty for a payment that was settled before it was opened. */
  currency: string;
  amount: Integer64;
  authorized: Integer64;
  captured: Integer64;
  refunded: Integer64;
  action_required: number;
  failed: number;
  expired: number;
  voided: number;
  /** Derived from the facts above; stored for filters. */
  state: PaymentState;
  capture_automatically: number;
  settling: number;
  settle_reason: string;
  client_secret: string;
  redirect_url: string;
  failure_message: string;
  /** Money at the provider that cannot be booked; null for none. */
  mismatch_message: string | null;
  created_at: number;
  updated_at: number;
  expires_at: number;
  version: number;
}

export interface RefundsTable {
  tenant_id: string;
  payment_uid: string;
  id: string;
  provider_reference: string | null;
  amount: Integer64;
  state: RefundState;
  settlement: number;
  reason: string;
  failure_message: string;
  created_at: number;
}

/** The money ledger. Append-only. */
export interface PaymentMovementsTable {
  tenant_id: string;
  payment_uid: string;
  id: string;
  kind: MovementKind;
  amount: Integer64;
  currency: string;
  /** Source of the entry: `callback 01h…`, `operation 01h…`, `poll`. */
  cause: string;
  created_at: number;
}

/** An operation at the provider, with the caller's key and response if a caller requested it. */
export interface PaymentOperationsTable extends DueColumns {
  tenant_id: string;
  payment_uid: string;
  kind: OperationKind;
  provider_key: string;
  state: OperationState;
  amount: Integer64;
  refund_id: string | null;
  payment_token: string;
  message: string;
  /** The caller's request id; null without one. */
  request_key: string | null;
  request_hash: string;
  /** The response in the binary format, committed with the effect. */
  response: Uint8Array | null;
  /** When the caller's key and the response are pruned; null while PENDING, and once pruned. */
  prune_at: number | null;
  /** The W3C `traceparent` of the call that planned it; null outside a trace. */
  traceparent: string | null;
  created_at: number;
}

export interface PaymentDatabase extends OutboxTables, CallbackInboxTables {
  payments: PaymentsTable;
  refunds: RefundsTable;
  payment_movements: PaymentMovementsTable;
  payment_operations: PaymentOperationsTable;
}
