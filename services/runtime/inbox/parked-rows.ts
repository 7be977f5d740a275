import { type Selectable, sql } from "kysely";
import type { BusEvent } from "../bus/event-bus.ts";
import { type AnyTransaction, withTables } from "../db/any-transaction.ts";
import { chunksOf } from "../db/chunks.ts";
import type { DialectName } from "../db/connect.ts";
import { forUpdate, nowMs, upsert } from "../db/sql.ts";
import { describeError } from "./dead-letter-rows.ts";
import { fromColumns, toColumns } from "./event-columns.ts";
import type { InboxTables, ParkedAggregatesTable } from "./tables.ts";

/** Identity of a parked aggregate of a consumer. */
export type ParkedKey = Pick<ParkedAggregatesTable, "tenant_id" | "aggregate" | "consumer">;

/** A parked aggregate. */
export interface ParkedAggregate extends Selectable<ParkedAggregatesTable> {
  readonly isDue: boolean;
}

/** Failed attempts at the first event of an aggregate. */
export interface Attempts {
  readonly count: number;
  readonly error: unknown;
  /** Delay before the next attempt. */
  readonly retryInMs: number;
}

/** Parks an aggregate, unless another process has done so. */
export async function parkAggregate(
  trx: AnyTransaction,
  dialect: DialectName,
  key: ParkedKey,
  { count, error, retryInMs }: Attempts,
): Promise<void> {
  const insert = withTables<InboxTables>(trx)
    .insertInto("inbox_parked")
    .values((row) => ({
      ...key,
      attempts: count,
      error: describeError(error),
      parked_at: nowMs(dialect),
      due_at: row(nowMs(dialect), "+", retryInMs),
    }));
  await upsert(dialect, insert, { key: ["tenant_id", "aggregate", "consumer"], update: [] }).execute();
}

/** Adds events to parked aggregates. An event that is there is not added again. */
export async function parkEvents(
  trx: AnyTransaction,
  dialect: DialectName,
  consumer: string,
  events: readonly BusEvent[],
): Promise<void> {
  const rows = events.map((event) => ({ ...toColumns(event), consumer }));
  for (const chunk of chunksOf(rows, { maxItems: 500, sizeOf: ({ data }) => data.length })) {
    const insert = withTables<InboxTables>(trx).insertInto("inbox_parked_events").values(chunk);
    const key = ["tenant_id", "aggregate", "consumer", "sequence", "source"] as const;
    await upsert(dialect, insert, { key, update: [] }).execute();
  }
}

/** Locks those of the aggregates that are parked, so that they stay parked until the transaction ends. */
export async function lockParked(
  trx: AnyTransaction,
  dialect: DialectName,
  keys: readonly ParkedKey[],
): Promise<readonly ParkedAggregate[]> {
  const query = withTables<InboxTables>(trx)
    .selectFrom("inbox_parked")
    .selectAll()
    .select((row) => row("due_at", "<=", nowMs(dialect)).as("due"))
    .where((row) =>
      row.or(
        keys.map((key) =>
          row.and([
            row("tenant_id", "=", key.tenant_id),
            row("aggregate", "=", key.aggregate),
            row("consumer", "=", key.consumer),
          ]),
        ),
      ),
    )
    .orderBy("tenant_id")
    .orderBy("aggregate");
  const rows = await forUpdate(dialect, query).execute();
  return rows.map(({ due, ...row }) => ({ ...row, isDue: Boolean(due) }));
}

/** Reads the first events of a parked aggregate, in order. */
export async function readParkedEvents(trx: AnyTransaction, key: ParkedKey, limit: number): Promise<BusEvent[]> {
  const rows = await withTables<InboxTables>(trx)
    .selectFrom("inbox_parked_events")
    .selectAll()
    .where("tenant_id", "=", key.tenant_id)
    .where("aggregate", "=", key.aggregate)
    .where("consumer", "=", key.consumer)
    .orderBy("sequence")
    .orderBy("source")
    .limit(limit)
    .execute();
  return rows.map(fromColumns);
}

/** Removes events of a parked aggregate. */
export async function unparkEvents(trx: AnyTransaction, key: ParkedKey, events: readonly BusEvent[]): Promise<void> {
  if (events.length > 0) {
    const rows = events.map(({ sequence, source }) => sql`(sequence = ${sequence} and source = ${source})`);
    await withTables<InboxTables>(trx)
      .deleteFrom("inbox_parked_events")
      .where("tenant_id", "=", key.tenant_id)
      .where("aggregate", "=", key.aggregate)
      .where("consumer", "=", key.consumer)
      .where(sql<boolean>`(${sql.join(rows, sql` or `)})`)
      .execute();
  }
}

/** Records the attempts at the event that is now an aggregate's first. */
export async function postponeParked(
  trx: AnyTransaction,
  dialect: DialectName,
  key: ParkedKey,
  { count, error, retryInMs }: Attempts,
): Promise<void> {
  await withTables<InboxTables>(trx)
    .updateTable("inbox_parked")
    .set((row) => ({
      attempts: count,
      error: describeError(error),
      due_at: row(nowMs(dialect), "+", retryInMs),
    }))
    .where("tenant_id", "=", key.tenant_id)
    .where("aggregate", "=", key.aggregate)
    .where("consumer", "=", key.consumer)
    .execute();
}

/** Removes an aggregate without events. */
export async function unparkAggregate(trx: AnyTransaction, key: ParkedKey): Promise<void> {
  await withTables<InboxTables>(trx)
    .deleteFrom("inbox_parked")
    .where("tenant_id", "=", key.tenant_id)
    .where("aggregate", "=", key.aggregate)
    .where("consumer", "=", key.consumer)
    .execute();
}
