import type { Selectable } from "kysely";
import { defineMapping } from "../../runtime/commands/mapping.ts";
import { defineTable } from "../../runtime/commands/table.ts";
import type { PaymentMovementsTable, PaymentOperationsTable, PaymentsTable, RefundsTable } from "../db/schema.ts";
import type { Movement, Refund } from "../domain/payment.ts";
import { toStoredOperation } from "./operations.ts";
import type { PaymentAggregate } from "./payment-aggregate.ts";
import { toPayment, toRow } from "./payment-rows.ts";
import { toRefund } from "./refunds.ts";

/** Mappings by which commands read and write the payment service's aggregates. */

type PaymentUid = readonly [tenant: string, uid: string];
type MovementKey = readonly [tenant: string, paymentUid: string, id: string];

/** Payments are named by their uid, which is part of the keys of their refunds and operations. */
export const payments = defineMapping({
  root: defineTable<Selectable<PaymentsTable>>({
    name: "payments",
    key: ["tenant_id", "id"],
    keyIndex: "payments_id",
    columns: [
      ...(["tenant_id", "order_id", "payment_id", "id", "provider", "provider_reference", "currency"] as const),
      ...(["amount", "authorized", "captured", "refunded", "action_required", "failed", "expired", "voided"] as const),
      ...(["state", "capture_automatically", "settling", "settle_reason", "client_secret", "redirect_url"] as const),
      ...(["failure_message", "mismatch_message", "created_at", "updated_at", "expires_at", "version"] as const),
      ...(["attempt", "due_at"] as const),
    ],
    version: "version",
  }),
  parts: {
    refunds: defineTable<Selectable<RefundsTable>>({
      name: "refunds",
      key: ["tenant_id", "payment_uid", "id"],
      columns: [
        ...(["tenant_id", "payment_uid", "id", "provider_reference", "amount", "state", "settlement"] as const),
        ...(["reason", "failure_message", "created_at"] as const),
      ],
    }),
    operations: defineTable<Selectable<PaymentOperationsTable>>({
      name: "payment_operations",
      key: ["tenant_id", "payment_uid", "id"],
      columns: [
        ...(["tenant_id", "payment_uid", "id", "kind", "provider_key", "state", "amount", "refund_id"] as const),
        ...(["payment_token", "message", "request_key", "request_hash", "response", "prune_at"] as const),
        ...(["traceparent", "created_at", "attempt", "due_at"] as const),
      ],
    }),
  },
  unique: {
    name: ["tenant_id", "order_id", "payment_id"],
    reference: ["provider", "provider_reference"],
  },
  keyOf: ({ payment }: PaymentAggregate): PaymentUid => [payment.tenant, payment.uid],
  fromRows: (row, { refunds, operations }): PaymentAggregate => ({
    payment: toPayment(row),
    refunds: refunds.map(toRefund).sort(byCreation),
    operations: operations.map(toStoredOperation),
    poll: { dueAt: row.due_at ?? undefined, attempt: row.attempt },
  }),
  toRow: ({ payment, poll }) => ({ ...toRow(payment), attempt: poll.attempt, due_at: poll.dueAt ?? null }),
  toParts: ({ payment, refunds, operations }) => ({
    refunds: refunds.map((refund) => ({
      tenant_id: payment.tenant,
      payment_uid: payment.uid,
      id: refund.id,
      provider_reference: refund.reference ?? null,
      amount: refund.amount,
      state: refund.state,
      settlement: Number(refund.settlement),
      reason: refund.reason,
      failure_message: refund.failureMessage,
      created_at: refund.createdAt,
    })),
    operations: operations.map((operation) => ({
      tenant_id: operation.tenant,
      payment_uid: operation.paymentUid,
      id: operation.id,
      kind: operation.kind,
      provider_key: operation.key,
      state: operation.state,
      amount: operation.amount,
      refund_id: operation.refundId ?? null,
      payment_token: operation.paymentToken,
      message: operation.message,
      request_key: operation.requestKey ?? null,
      request_hash: operation.requestHash,
      response: operation.response ?? null,
      prune_at: operation.pruneAt ?? null,
      traceparent: operation.traceparent ?? null,
      created_at: operation.createdAt,
      attempt: operation.attempt,
      due_at: operation.dueAt ?? null,
    })),
  }),
});

function byCreation(a: Refund, b: Refund): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}

/** A ledger entry of one payment. */
export interface PaymentMovement extends Movement {
  readonly id: string;
  readonly tenant: string;
  readonly paymentUid: string;
  readonly currency: string;
  readonly cause: string;
  readonly createdAt: number;
}

/** The money ledger: entries are only inserted. */
export const movements = defineMapping({
  root: defineTable<Selectable<PaymentMovementsTable>>({
    name: "payment_movements",
    key: ["tenant_id", "payment_uid", "id"],
    columns: ["tenant_id", "payment_uid", "id", "kind", "amount", "currency", "cause", "created_at"],
  }),
  keyOf: ({ tenant, paymentUid, id }: PaymentMovement): MovementKey => [tenant, paymentUid, id],
  fromRows: (row): PaymentMovement => ({
    id: row.id,
    tenant: row.tenant_id,
    paymentUid: row.payment_uid,
    kind: row.kind,
    amount: BigInt(row.amount),
    currency: row.currency,
    cause: row.cause,
    createdAt: row.created_at,
  }),
  toRow: (it) => ({
    tenant_id: it.tenant,
    payment_uid: it.paymentUid,
    id: it.id,
    kind: it.kind,
    amount: it.amount,
    currency: it.currency,
    cause: it.cause,
    created_at: it.createdAt,
  }),
});
