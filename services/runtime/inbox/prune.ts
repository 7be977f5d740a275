import { tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";
import type { InboxTables } from "./tables.ts";

const BATCH = 1_000;

/**
 * Forgets the oldest of the messages received longer ago than `retentionMs`, a batch at the most; answers whether there
 * may be more.
 */
export async function pruneInbox<DB extends InboxTables>(db: Database<DB>, retentionMs: number): Promise<boolean> {
  const inbox = tablesOf<InboxTables>(db.kysely);
  const old = await inbox
    .selectFrom("inbox_messages")
    .select(["consumer", "message_id"])
    .where((row) => row("received_at", "<", row(nowMs(db.dialect), "-", retentionMs)))
    .orderBy("received_at")
    .limit(BATCH)
    .execute();
  for (const [consumer, rows] of Map.groupBy(old, (row) => row.consumer)) {
    const ids = rows.map((row) => row.message_id);
    await inbox.deleteFrom("inbox_messages").where("consumer", "=", consumer).where("message_id", "in", ids).execute();
  }
  return old.length === BATCH;
}
