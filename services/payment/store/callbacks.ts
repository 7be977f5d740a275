import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { Claimed } from "../../runtime/db/claim-due.ts";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore, nowMs } from "../../runtime/db/sql.ts";
import type { CallbackState, PaymentCallbacksTable, PaymentDatabase } from "../db/schema.ts";

/** A callback as it is stored. */
export interface StoredCallback {
  readonly id: string;
  readonly tenant: string;
  readonly provider: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly state: CallbackState;
  readonly payment: string;
  readonly body: Uint8Array;
  readonly receiveCount: number;
  readonly failureMessage: string;
  readonly createdAt: number;
  readonly processedAt: number | undefined;
}

/** What became of a callback. */
export interface CallbackOutcome {
  readonly state: CallbackState;
  readonly tenant: string;
  readonly payment: string;
  readonly failureMessage: string;
}

/** What is known of a callback when it comes. */
export type ArrivedCallback = Pick<StoredCallback, "id" | "tenant" | "provider" | "eventId" | "eventType" | "body">;

/**
 * Stores a verified callback; false when its event is there. It is due when `leaseMs` is over, should it not be processed
 * until then.
 */
export function insertCallback(
  trx: Transaction<PaymentDatabase>,
  dialect: DialectName,
  callback: ArrivedCallback,
  leaseMs: number,
): Promise<boolean> {
  return insertIgnore(trx, "payment_callbacks", {
    tenant_id: callback.tenant,
    id: callback.id,
    provider: callback.provider,
    event_id: callback.eventId,
    event_type: callback.eventType,
    state: "RECEIVED" as const,
    payment: "",
    body: callback.body,
    receive_count: 1,
    failure_message: "",
    created_at: nowMs(dialect),
    processed_at: null,
    attempt: 0,
    due_at: sql<number>`${nowMs(dialect)} + ${leaseMs}`,
  });
}

/** Counts a callback that came again. */
export async function countCallback(
  kysely: Kysely<PaymentDatabase>,
  { provider, eventId }: Pick<StoredCallback, "provider" | "eventId">,
): Promise<void> {
  await kysely
    .updateTable("payment_callbacks")
    .set({ receive_count: sql<number>`receive_count + 1` })
    .where("provider", "=", provider)
    .where("event_id", "=", eventId)
    .execute();
}

export async function findCallback(
  kysely: Kysely<PaymentDatabase>,
  tenant: string,
  id: string,
): Promise<StoredCallback | undefined> {
  const query = kysely.selectFrom("payment_callbacks").selectAll().where("tenant_id", "=", tenant).where("id", "=", id);
  const row = await query.executeTakeFirst();
  return row && toCallback(row);
}

export async function lockCallback(
  trx: Transaction<PaymentDatabase>,
  dialect: DialectName,
  id: string,
): Promise<StoredCallback | undefined> {
  const query = trx.selectFrom("payment_callbacks").selectAll().where("id", "=", id);
  const row = await forUpdate(dialect, query).executeTakeFirst();
  return row && toCallback(row);
}

/** Writes what became of a callback for good. */
export async function finishCallback(
  trx: Transaction<PaymentDatabase>,
  dialect: DialectName,
  id: string,
  outcome: CallbackOutcome,
): Promise<void> {
  await trx
    .updateTable("payment_callbacks")
    .set({
      state: outcome.state,
      tenant_id: outcome.tenant,
      payment: outcome.payment,
      failure_message: outcome.failureMessage,
      processed_at: nowMs(dialect),
      due_at: null,
    })
    .where("id", "=", id)
    .execute();
}

/** Leaves a callback to be tried again after the pause. */
export async function postponeCallback(
  kysely: Kysely<PaymentDatabase>,
  dialect: DialectName,
  id: string,
  { pauseMs, problem }: { pauseMs: number; problem: string },
): Promise<void> {
  await kysely
    .updateTable("payment_callbacks")
    .set({ due_at: sql<number>`${nowMs(dialect)} + ${Math.ceil(pauseMs)}`, failure_message: problem })
    .where("id", "=", id)
    .where("state", "=", "RECEIVED")
    .execute();
}

/** How long ago the callback first came, by the database's clock. */
export async function ageOf(kysely: Kysely<PaymentDatabase>, dialect: DialectName, { id }: Claimed): Promise<number> {
  const row = await kysely
    .selectFrom("payment_callbacks")
    .select(sql<number>`${nowMs(dialect)} - created_at`.as("age"))
    .where("id", "=", id)
    .executeTakeFirst();
  return row?.age ?? 0;
}

export function toCallback(row: Selectable<PaymentCallbacksTable>): StoredCallback {
  return {
    id: row.id,
    tenant: row.tenant_id,
    provider: row.provider,
    eventId: row.event_id,
    eventType: row.event_type,
    state: row.state,
    payment: row.payment,
    body: row.body,
    receiveCount: row.receive_count,
    failureMessage: row.failure_message,
    createdAt: row.created_at,
    processedAt: row.processed_at ?? undefined,
  };
}
