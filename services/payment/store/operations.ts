import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { Database, DialectName } from "../../runtime/db/connect.ts";
import { nowMs } from "../../runtime/db/sql.ts";
import type { Claimed } from "../../runtime/jobs/claim-due.ts";
import type { PaymentDatabase, PaymentOperationsTable } from "../db/schema.ts";
import type { Operation } from "../domain/operation.ts";

type Trx = Transaction<PaymentDatabase>;

/** A caller's key: the same key with the same request gets the response that was committed with the effect. */
export interface CallerKey {
  readonly requestKey: string;
  readonly requestHash: string;
}

/** An operation that a caller requested under a key. */
export interface KeyedOperation {
  readonly operation: Operation;
  readonly requestHash: string;
  /** For a DONE operation. */
  readonly response: Uint8Array | undefined;
}

/** Writes a new operation. It is due in `delayMs`, unless the writing process has executed it by then. */
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

/** Reads every operation of a payment, the oldest first. */
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

/** Outcome of an operation, and the response committed with it. */
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
 * Prunes callers' keys and responses of ended operations created longer than `keptMs` ago, at most `limit`; returns the
 * number. The operations remain: the provider's idempotency keys are derived from their number.
 */
export async function pruneOperationKeys(
  { kysely, dialect }: Database<PaymentDatabase>,
  keptMs: number,
  limit: number,
): Promise<number> {
  const old = await kysely
    .selectFrom("payment_operations")
    .select("id")
    // `prune_at` counts from the operation's creation, with the default retention.
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

/** Writes the provider's response. The payment is locked, and the operation was PENDING under that lock. */
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
