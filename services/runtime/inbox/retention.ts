import { type AnyTransaction, tablesOf } from "../db/any-transaction.ts";
import type { Database, DialectName } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";
import { RETENTION_BATCH, type RetentionRule } from "../retention/retention.ts";
import type { RetentionSettings } from "../retention/settings.ts";
import type { Clock } from "../values/clock.ts";
import { firstIdAt, type Ids } from "../values/ids.ts";
import { insertDeadLetter } from "./dead-letter-rows.ts";
import { lockParked, type ParkedKey, readParkedEvents, unparkAggregate, unparkEvents } from "./parked-rows.ts";
import type { InboxTables } from "./tables.ts";

/** Retention rules for every service with consumers. */
export function inboxRetention<DB extends InboxTables>(
  { db, clock, ids }: { readonly db: Database<DB>; readonly clock: Clock; readonly ids: Ids },
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
    {
      // Only a consumer that exists no more leaves events parked for so long.
      table: "inbox_parked",
      keptMs: deadLettersMs,
      async prune(keptMs) {
        const overdue = await tables
          .selectFrom("inbox_parked")
          .select(["tenant_id", "aggregate", "consumer"])
          .where((row) => row("due_at", "<", row(nowMs(db.dialect), "-", keptMs)))
          .orderBy("due_at")
          .limit(ABANDONED_BATCH)
          .execute();
        for (const key of overdue) {
          await db.transaction((trx) => abandon(trx, db.dialect, ids, key));
        }
        return overdue.length === ABANDONED_BATCH;
      },
    },
  ];
}

/** Aggregates per run: each may have many events. */
const ABANDONED_BATCH = 20;
const ABANDONED_EVENTS = 500;

/** Makes the events of a parked aggregate dead letters, so that they are not lost with their consumer. */
async function abandon(trx: AnyTransaction, dialect: DialectName, ids: Ids, key: ParkedKey): Promise<void> {
  const [parked] = await lockParked(trx, dialect, [key]);
  if (parked === undefined || !parked.isDue) {
    return;
  }
  const events = await readParkedEvents(trx, key, ABANDONED_EVENTS);
  for (const event of events) {
    const letter = { id: ids.next(), consumer: key.consumer, event, error: parked.error, attempts: parked.attempts };
    await insertDeadLetter(trx, dialect, letter);
  }
  await unparkEvents(trx, key, events);
  if (events.length < ABANDONED_EVENTS) {
    await unparkAggregate(trx, key);
  }
}
