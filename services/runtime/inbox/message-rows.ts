import { sql } from "kysely";
import type { BusEvent } from "../bus/event-bus.ts";
import { type AnyTransaction, tablesOf, withTables } from "../db/any-transaction.ts";
import type { DialectName } from "../db/connect.ts";
import { isUniqueViolation, nowMs } from "../db/sql.ts";
import type { InboxTables } from "./tables.ts";

/**
 * Records the events as handled, provided that none of them was handled before and none of their aggregates is parked.
 * Returns whether that was so; if not, the transaction must be rolled back. One statement.
 *
 * @param events at most `batchLimits.maxEvents`, without duplicates
 */
export async function insertAllFresh(
  trx: AnyTransaction,
  dialect: DialectName,
  consumer: string,
  events: readonly BusEvent[],
): Promise<boolean> {
  const rows = events.map(
    ({ id, tenant, aggregate }) =>
      sql`select ${consumer} as consumer, ${id} as message_id, ${tenant} as tenant_id, ${aggregate} as aggregate`,
  );
  try {
    const { numAffectedRows } = await sql`
      insert into inbox_messages (consumer, message_id, received_at)
      select consumer, message_id, ${nowMs(dialect)} from (${sql.join(rows, sql` union all `)}) as fresh
      where not exists (
        select 1 from inbox_parked as parked
        where parked.tenant_id = fresh.tenant_id and parked.aggregate = fresh.aggregate
          and parked.consumer = fresh.consumer
      )`.execute(tablesOf(trx));
    return Number(numAffectedRows) === events.length;
  } catch (error) {
    if (isUniqueViolation(error)) {
      return false;
    }
    throw error;
  }
}

/** Records the events as handled that were not yet, and returns these. Waits for other processes that handle them. */
export async function insertFresh(
  trx: AnyTransaction,
  dialect: DialectName,
  consumer: string,
  events: readonly BusEvent[],
): Promise<readonly BusEvent[]> {
  if (events.length === 0) {
    return [];
  }
  const tables = withTables<InboxTables>(trx);
  for (let race = 1; ; race++) {
    const ids = events.map(({ id }) => id);
    const known = await tables
      .selectFrom("inbox_messages")
      .select("message_id")
      .where("consumer", "=", consumer)
      .where("message_id", "in", ids)
      .execute();
    const handled = new Set(known.map((row) => row.message_id));
    const fresh = events.filter(({ id }) => !handled.has(id));
    const rows = fresh.map(({ id }) => ({ consumer, message_id: id, received_at: nowMs(dialect) }));
    try {
      if (rows.length > 0) {
        await tables.insertInto("inbox_messages").values(rows).execute();
      }
      return fresh;
    } catch (error) {
      if (!isUniqueViolation(error) || race >= MAX_RACES) {
        throw error;
      }
    }
  }
}

/** How often another process may record one of the events between the two statements. */
const MAX_RACES = 10;
