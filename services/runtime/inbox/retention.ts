import { tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";
import { RETENTION_BATCH, type RetentionRule } from "../retention/retention.ts";
import type { RetentionSettings } from "../retention/settings.ts";
import type { Clock } from "../values/clock.ts";
import { firstIdAt } from "../values/ids.ts";
import type { InboxTables } from "./tables.ts";

/** Retention rules for every service with consumers. */
export function inboxRetention<DB extends InboxTables>(
  { db, clock }: { readonly db: Database<DB>; readonly clock: Clock },
  { inboxMs, deadLettersMs }: Pick<RetentionSettings, "inboxMs" | "deadLettersMs">,
): readonly RetentionRule[] {
  const tables = tablesOf<InboxTables>(db.kysely);
  return [
    {
      table: "inbox_messages",
      keptMs: inboxMs,
      async prune(keptMs) {
        const old = await tables
          .selectFrom("inbox_messages")
          .select(["consumer", "message_id"])
          .where((row) => row("received_at", "<", row(nowMs(db.dialect), "-", keptMs)))
          .orderBy("received_at")
          .limit(RETENTION_BATCH)
          .execute();
        for (const [consumer, rows] of Map.groupBy(old, (row) => row.consumer)) {
          const ids = rows.map((row) => row.message_id);
          await tables
            .deleteFrom("inbox_messages")
            .where("consumer", "=", consumer)
            .where("message_id", "in", ids)
            .execute();
        }
        return old.length === RETENTION_BATCH;
      },
    },
    {
      table: "dead_letters",
      keptMs: deadLettersMs,
      async prune(keptMs) {
        const old = await tables
          .selectFrom("dead_letters")
          .select("id")
          // Ids begin with their time, so recent rows are not even scanned.
          .where("id", "<", firstIdAt(clock.now().getTime() - keptMs))
          .where((row) => row("created_at", "<", row(nowMs(db.dialect), "-", keptMs)))
          .orderBy("id")
          .limit(RETENTION_BATCH)
          .execute();
        if (old.length > 0) {
          const ids = old.map(({ id }) => id);
          await tables.deleteFrom("dead_letters").where("id", "in", ids).execute();
        }
        return old.length === RETENTION_BATCH;
      },
    },
  ];
}
