import { sql } from "kysely";
import { type AnyTransaction, withTables } from "../db/any-transaction.ts";
import type { Database, DialectName } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";
import type { Claimed } from "../jobs/claim-due.ts";
import { traceFields } from "../telemetry/tracing.ts";
import type { Ids } from "../values/ids.ts";
import type { Callback } from "./callback.ts";
import type { CallbacksTable, CallbackTables } from "./tables.ts";

/** The statements of the sender. */

export async function insertCallbacks(
  anyTrx: AnyTransaction,
  dialect: DialectName,
  ids: Ids,
  callbacks: readonly Callback[],
  giveUpMs: number,
): Promise<void> {
  if (callbacks.length === 0) {
    return;
  }
  const now = nowMs(dialect);
  const { traceparent = null } = traceFields();
  const rows = callbacks.map(({ messageId, url, body, contentType = "application/json", delayMs = 0 }) => ({
    id: ids.next(),
    message_id: messageId,
    url,
    content_type: contentType,
    body: typeof body === "string" ? Buffer.from(body) : body,
    attempt: 0,
    due_at: sql<number>`${now} + ${delayMs}`,
    give_up_at: sql<number>`${now} + ${delayMs + giveUpMs}`,
    delivered_at: null,
    prune_at: null,
    last_error: null,
    traceparent,
  }));
  await withTables<CallbackTables>(anyTrx).insertInto("callbacks").values(rows).execute();
}

export async function deleteUndelivered(anyTrx: AnyTransaction, messageIds: readonly string[]): Promise<void> {
  if (messageIds.length > 0) {
    const trx = withTables<CallbackTables>(anyTrx);
    await trx
      .deleteFrom("callbacks")
      .where("message_id", "in", [...messageIds])
      .where("due_at", "is not", null)
      .execute();
  }
}

/** Loads the claimed row, unless its claim has expired. */
export function loadCallback(db: Database<CallbackTables>, claim: Claimed): Promise<CallbacksTable | undefined> {
  return held(db.kysely.selectFrom("callbacks").selectAll(), claim).executeTakeFirst();
}

export async function settleDelivered(
  { kysely, dialect }: Database<CallbackTables>,
  claim: Claimed,
  retentionMs: number,
): Promise<void> {
  const now = nowMs(dialect);
  const settled = { due_at: null, delivered_at: now, prune_at: sql<number>`${now} + ${retentionMs}`, last_error: null };
  await held(kysely.updateTable("callbacks").set(settled), claim).execute();
}

/** Makes the row due again after the delay, or gives it up after its deadline. */
export async function settleFailed(
  { kysely, dialect }: Database<CallbackTables>,
  claim: Claimed,
  { problem, pauseMs, retentionMs }: { problem: string; pauseMs: number; retentionMs: number },
): Promise<void> {
  const now = nowMs(dialect);
  const over = sql<boolean>`${now} >= give_up_at`;
  // MySQL assigns from left to right and uses new values in later expressions: only unchanged columns are read here.
  const failed = {
    last_error: problem,
    due_at: sql<number | null>`case when ${over} then null else ${now} + ${pauseMs} end`,
    prune_at: sql<number | null>`case when ${over} then ${now} + ${retentionMs} else null end`,
  };
  await held(kysely.updateTable("callbacks").set(failed), claim).execute();
}

function held<Query extends { where(column: "id" | "attempt", op: "=", value: string | number): Query }>(
  query: Query,
  { id, attempt }: Claimed,
): Query {
  return query.where("id", "=", id).where("attempt", "=", attempt);
}
