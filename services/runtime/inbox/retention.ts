import type { AnyTransaction } from "../db/any-transaction.ts";
import type { Database, DialectName } from "../db/connect.ts";
import type { RetentionRule } from "../retention/rule.ts";
import type { RetentionSettings } from "../retention/settings.ts";
import type { Clock } from "../values/clock.ts";
import type { Ids } from "../values/ids.ts";
import { insertDeadLetter } from "./dead-letter-rows.ts";
import { lockParked, type ParkedKey, readParkedEvents, unparkAggregate, unparkEvents } from "./parked-rows.ts";
import type { InboxTables } from "./tables.ts";

/** Retention rules for every service with consumers. */
export function inboxRetention<DB extends InboxTables>(
  { db, clock, ids }: { readonly db: Database<DB>; readonly clock: Clock; readonly ids: Ids },
  { inboxMs, deadLettersMs }: Pick<RetentionSettings, "inboxMs" | "deadLettersMs">,
): readonly RetentionRule[] {
  return [
    { table: "inbox_messages", age: "received_at", keptMs: inboxMs },
    { table: "dead_letters", age: "created_at", keptMs: deadLettersMs, timedIds: { column: "id", clock } },
    {
      // Only a consumer that exists no more leaves events parked for so long.
      table: "inbox_parked",
      age: "due_at",
      keptMs: deadLettersMs,
      batch: ABANDONED_BATCH,
      instead: {
        key: ["tenant_id", "aggregate", "consumer"],
        async settle(parked: readonly ParkedKey[]) {
          for (const key of parked) {
            await db.transaction((trx) => abandon(trx, db.dialect, ids, key));
          }
        },
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
