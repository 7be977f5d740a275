import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { DialectName } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";
import type { CallbackInboxTables, CallbackState, InboundCallbacksTable } from "./tables.ts";

/** The statements of the callback inbox. */

type Reader = Kysely<CallbackInboxTables>;
type Trx = Transaction<CallbackInboxTables>;

/** A stored callback. */
export interface StoredCallback {
  readonly id: string;
  /** Undefined until matched. */
  readonly tenant: string | undefined;
  readonly source: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly state: CallbackState;
  /** Resource name of the subject; empty until matched. */
  readonly subject: string;
  readonly body: Uint8Array;
  readonly receiveCount: number;
  readonly failureMessage: string;
  readonly receivedAt: number;
  readonly processedAt: number | undefined;
}

export type NewCallback = Pick<StoredCallback, "id" | "source" | "eventId" | "eventType" | "body"> & {
  readonly headers: Readonly<Record<string, string>>;
};

/** Lease of the receiving call on a stored callback. */
const RECEIVE_LEASE_MS = 10_000;

/** The row of a new callback. It is due after the lease, in case the receiving call cannot apply it. */
export function receivedRow(callback: NewCallback, nowMs: number): InboundCallbacksTable {
  return {
    id: callback.id,
    source: callback.source,
    event_id: callback.eventId,
    event_type: callback.eventType,
    tenant_id: null,
    subject: "",
    reference: null,
    state: "RECEIVED",
    headers: JSON.stringify(callback.headers),
    body: callback.body,
    receive_count: 1,
    failure_message: "",
    received_at: nowMs,
    processed_at: null,
    attempt: 0,
    due_at: nowMs + RECEIVE_LEASE_MS,
  };
}

export async function findCallback(db: Reader, id: string): Promise<StoredCallback | undefined> {
  const row = await db.selectFrom("inbound_callbacks").selectAll().where("id", "=", id).executeTakeFirst();
  return row && toCallback(row);
}

/** Keeps a callback RECEIVED and due after the delay, or FAILED if it is older than `patienceMs`. */
export async function postponeCallback(
  db: Reader,
  dialect: DialectName,
  id: string,
  wait: { pauseMs: number; patienceMs: number; problem: string; reference: string | undefined },
): Promise<void> {
  const now = nowMs(dialect);
  const over = sql<boolean>`${now} - received_at >= ${wait.patienceMs}`;
  await db
    .updateTable("inbound_callbacks")
    .set({
      due_at: sql<number | null>`case when ${over} then null else ${now} + ${Math.ceil(wait.pauseMs)} end`,
      state: sql<CallbackState>`case when ${over} then 'FAILED' else 'RECEIVED' end`,
      failure_message: wait.problem,
      ...(wait.reference !== undefined && { reference: wait.reference }),
    })
    .where("id", "=", id)
    .where("state", "=", "RECEIVED")
    .execute();
}

/** Erases headers, bodies and texts of settled callbacks about a resource. Types and times are kept. */
export async function eraseCallbacks(
  trx: Trx,
  about: { readonly tenant: string; readonly subject: string; readonly source: string; readonly reference: string },
): Promise<void> {
  await trx
    .updateTable("inbound_callbacks")
    .set({ headers: "{}", body: new Uint8Array(), failure_message: "" })
    .where("state", "!=", "RECEIVED")
    .where((row) =>
      row.or([
        row.and([row("tenant_id", "=", about.tenant), row("subject", "=", about.subject)]),
        row.and([row("source", "=", about.source), row("reference", "=", about.reference), row("subject", "=", "")]),
      ]),
    )
    .execute();
}

export function toCallback(row: Selectable<InboundCallbacksTable>): StoredCallback {
  return {
    id: row.id,
    tenant: row.tenant_id ?? undefined,
    source: row.source,
    eventId: row.event_id,
    eventType: row.event_type,
    state: row.state,
    subject: row.subject,
    body: row.body,
    receiveCount: row.receive_count,
    failureMessage: row.failure_message,
    receivedAt: row.received_at,
    processedAt: row.processed_at ?? undefined,
  };
}
