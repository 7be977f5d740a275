import { type Kysely, type Selectable, sql } from "kysely";
import type { Database, DialectName } from "../../runtime/db/connect.ts";
import { nowMs } from "../../runtime/db/sql.ts";
import type { Claimed } from "../../runtime/jobs/claim-due.ts";
import type { RetentionRule } from "../../runtime/retention/rule.ts";
import { traceFields } from "../../runtime/telemetry/tracing.ts";
import type { PaymentDatabase, PaymentOperationsTable } from "../db/schema.ts";
import type { Operation } from "../domain/operation.ts";
import type { StoredOperation } from "./payment-aggregate.ts";

/** A caller's key: the same key with the same request gets the response that was committed with the effect. */
export interface CallerKey {
  readonly requestKey: string;
  readonly requestHash: string;
}

/** A new operation with its schedule and the active trace, and the key of the caller who requested it. */
export function scheduled(
  operation: Operation,
  { createdAt, dueAt, caller }: { createdAt: number; dueAt: number; caller?: CallerKey | undefined },
): StoredOperation {
  const { requestKey, requestHash = "" } = caller ?? {};
  const { traceparent } = traceFields();
  const fresh = { response: undefined, pruneAt: undefined, traceparent };
  return { ...operation, createdAt, dueAt, requestKey, requestHash, ...fresh };
}

/** An operation that the provider has responded to. */
export function ended(operation: StoredOperation, problem: string | undefined): StoredOperation {
  return {
    ...operation,
    state: problem === undefined ? "DONE" : "REFUSED",
    message: problem ?? "",
    paymentToken: "",
    dueAt: undefined,
    pruneAt: operation.createdAt + KEY_RETENTION_MS,
  };
}

export async function findOperation(kysely: Kysely<PaymentDatabase>, id: string): Promise<StoredOperation | undefined> {
  const row = await kysely.selectFrom("payment_operations").selectAll().where("id", "=", id).executeTakeFirst();
  return row && toStoredOperation(row);
}

/** Whether an operation of the tenant was requested under the key. */
export async function isKeyUsed(kysely: Kysely<PaymentDatabase>, tenant: string, requestKey: string): Promise<boolean> {
  const row = await kysely
    .selectFrom("payment_operations")
    .select("id")
    .where("tenant_id", "=", tenant)
    .where("request_key", "=", requestKey)
    .executeTakeFirst();
  return row !== undefined;
}

/** Callers may repeat a request for at least a day. */
const KEY_RETENTION_MS = 3 * 24 * 3_600_000;

/**
 * Retention of callers' keys and responses of ended operations. The operations remain: the provider's idempotency keys
 * are derived from their number.
 */
export function operationKeyRetention(db: Database<PaymentDatabase>, keptMs: number): RetentionRule {
  return {
    table: "payment_operations",
    age: "prune_at",
    // `prune_at` counts from the operation's creation, with the default retention.
    keptMs: keptMs - KEY_RETENTION_MS,
    instead: { key: ["id"], settle: (rows: readonly { readonly id: string }[]) => forgetKeys(db, rows) },
  };
}

async function forgetKeys(
  { kysely }: Database<PaymentDatabase>,
  rows: readonly { readonly id: string }[],
): Promise<void> {
  const ids = rows.map(({ id }) => id);
  await kysely
    .updateTable("payment_operations")
    .set({ request_key: null, request_hash: "", response: null, prune_at: null })
    .where("id", "in", ids)
    .execute();
}

/** Makes an operation with an unknown outcome due again after the pause. */
export async function postponeOperation(
  kysely: Kysely<PaymentDatabase>,
  dialect: DialectName,
  { id, attempt }: Claimed,
  { pauseMs, problem }: { pauseMs: number; problem: string },
): Promise<void> {
  await kysely
    .updateTable("payment_operations")
    .set({ due_at: sql<number>`${nowMs(dialect)} + ${Math.ceil(pauseMs)}`, message: problem })
    .where("id", "=", id)
    .where("attempt", "=", attempt)
    .where("state", "=", "PENDING")
    .execute();
}

/** Number of attempts after which an operator is warned. */
const MANY_ATTEMPTS = 10;

/** The key of an operation that its provider repeatedly does not respond to; undefined if there is none. */
export async function findStuckOperation(kysely: Kysely<PaymentDatabase>): Promise<string | undefined> {
  const row = await kysely
    .selectFrom("payment_operations")
    .select("provider_key")
    .where("due_at", "is not", null)
    .where("attempt", ">=", MANY_ATTEMPTS)
    .limit(1)
    .executeTakeFirst();
  return row?.provider_key;
}

/** Converts a row to an operation. */
export function toStoredOperation(row: Selectable<PaymentOperationsTable>): StoredOperation {
  return {
    id: row.id,
    tenant: row.tenant_id,
    paymentUid: row.payment_uid,
    kind: row.kind,
    key: row.provider_key,
    state: row.state,
    amount: BigInt(row.amount),
    refundId: row.refund_id ?? undefined,
    paymentToken: row.payment_token,
    message: row.message,
    attempt: row.attempt,
    createdAt: row.created_at,
    dueAt: row.due_at ?? undefined,
    requestKey: row.request_key ?? undefined,
    requestHash: row.request_hash,
    response: row.response ?? undefined,
    pruneAt: row.prune_at ?? undefined,
    traceparent: row.traceparent ?? undefined,
  };
}
