import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { Database, DialectName } from "../../runtime/db/connect.ts";
import { nowMs } from "../../runtime/db/sql.ts";
import type { Claimed } from "../../runtime/jobs/claim-due.ts";
import type { PaymentDatabase, PaymentOperationsTable } from "../db/schema.ts";
import type { Operation } from "../domain/operation.ts";

type Trx = Transaction<PaymentDatabase>;

/** A caller's key: the same key with the same request gets the answer that was committed with the effect. */
export interface CallerKey {
  readonly requestKey: string;
  readonly requestHash: string;
}

/** An operation that a caller asked for under a key. */
export interface KeyedOperation {
  readonly operation: Operation;
  readonly requestHash: string;
  /** Of a DONE operation. */
  readonly response: Uint8Array | undefined;
}

/** Writes a new operation. It is due `delayMs` from now, when whoever writes it has not carried it out himself. */
export async function insertOperation(
  trx: Trx,
  dialect: DialectName,
  operation: Operation,
  { delayMs, createdAt, caller }: { delayMs: number; createdAt: number; caller?: CallerKey | undefined },
): Promise<void> {
  await trx
    .insertInto("payment_operations")
    .values({
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
      request_key: caller?.requestKey ?? null,
      request_hash: caller?.requestHash ?? "",
      response: null,
      prune_at: null,
      created_at: createdAt,
      attempt: operation.attempt,
      due_at: sql<number>`${nowMs(dialect)} + ${delayMs}`,
    })
    .execute();
}

/** Every operation of a payment, the oldest first. */
export async function operationsOf(
  kysely: Kysely<PaymentDatabase>,
  tenant: string,
  paymentUid: string,
): Promise<readonly Operation[]> {
  const rows = await kysely
    .selectFrom("payment_operations")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("payment_uid", "=", paymentUid)
    .orderBy("id")
    .execute();
  return rows.map(toOperation);
}

export async function findOperation(kysely: Kysely<PaymentDatabase>, id: string): Promise<Operation | undefined> {
  const row = await kysely.selectFrom("payment_operations").selectAll().where("id", "=", id).executeTakeFirst();
  return row && toOperation(row);
}

export async function findKeyedOperation(
  kysely: Kysely<PaymentDatabase>,
  tenant: string,
  requestKey: string,
): Promise<KeyedOperation | undefined> {
  const row = await kysely
    .selectFrom("payment_operations")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("request_key", "=", requestKey)
    .executeTakeFirst();
  return row && { operation: toOperation(row), requestHash: row.request_hash, response: row.response ?? undefined };
}

/** How an operation ended, and the answer that was committed with it. */
export async function readOutcome(
  kysely: Kysely<PaymentDatabase>,
  id: string,
): Promise<Pick<Operation, "state" | "message"> & { readonly response: Uint8Array | undefined }> {
  const { response, ...outcome } = await kysely
    .selectFrom("payment_operations")
    .select(["state", "message", "response"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  return { ...outcome, response: response ?? undefined };
}

/** Callers may repeat a request for at least a day. */
const KEY_RETENTION_MS = 3 * 24 * 3_600_000;

/**
 * Forgets the callers' keys and the responses of operations that ended and were made longer ago than `keptMs`, at most
 * `limit`; returns how many. The
 * operations stay: the keys that the provider deduplicates by are made from their number.
 */
export async function pruneOperationKeys(
  { kysely, dialect }: Database<PaymentDatabase>,
  keptMs: number,
  limit: number,
): Promise<number> {
  const old = await kysely
    .selectFrom("payment_operations")
    .select("id")
    // `prune_at` counts from the operation's creation, by the default.
    .where((row) => row("prune_at", "<=", row(nowMs(dialect), "+", KEY_RETENTION_MS - keptMs)))
    .orderBy("prune_at")
    .limit(limit)
    .execute();
  if (old.length > 0) {
    await kysely
      .updateTable("payment_operations")
      .set({ request_key: null, request_hash: "", response: null, prune_at: null })
      .where(
        "id",
        "in",
        old.map(({ id }) => id),
      )
      .execute();
  }
  return old.length;
}

/** Writes the provider's answer. The payment is locked and the operation was PENDING under that lock. */
export async function finishOperation(
  trx: Trx,
  { id, state, message }: Pick<Operation, "id" | "state" | "message">,
  response: Uint8Array,
): Promise<void> {
  await trx
    .updateTable("payment_operations")
    .set({
      state,
      message,
      response,
      due_at: null,
      payment_token: "",
      prune_at: sql<number>`created_at + ${KEY_RETENTION_MS}`,
    })
    .where("id", "=", id)
    .execute();
}

/** Makes an operation whose outcome is not known due again after the pause. */
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

/** How often an operation is tried before somebody should know. */
const MANY_ATTEMPTS = 10;

/** An operation that its provider does not answer again and again, by its key; undefined when there is none. */
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

function toOperation(row: Selectable<PaymentOperationsTable>): Operation {
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
  };
}
