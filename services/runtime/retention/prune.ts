import { type RawBuilder, type SqlBool, sql } from "kysely";
import type { Database } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";
import { firstIdAt } from "../values/ids.ts";
import { RETENTION_BATCH, type RetentionRule } from "./rule.ts";

/**
 * Deletes the oldest rows that the rule no longer keeps, about one batch. Returns whether there may be more. Safe to run
 * concurrently in several processes.
 */
export async function pruneTable<DB>(db: Database<DB>, rule: RetentionRule): Promise<boolean> {
  const { keptMs, timedIds, instead } = rule;
  if (keptMs === undefined) {
    return false;
  }
  if (rule.prune !== undefined) {
    return rule.prune(keptMs);
  }
  if (instead !== undefined) {
    const rows = await expiredRows(db, { rule, keptMs, columns: instead.key });
    if (rows.length > 0) {
      await instead.settle(rows);
    }
    return rows.length === batchOf(rule);
  }
  return timedIds === undefined ? pruneByAge(db, rule, keptMs) : pruneById(db, { rule, keptMs, id: timedIds.column });
}

/** Deletes rows up to an age, which may be more than a batch if many have the same. */
async function pruneByAge<DB>({ kysely, dialect }: Database<DB>, rule: RetentionRule, keptMs: number) {
  const table = sql.table(rule.table);
  const age = sql.ref(rule.age);
  const end = endOf(dialect, rule, keptMs);
  const further = rule.where === undefined ? sql`` : sql`and ${rule.where}`;
  const found = await sql<{ age: number | bigint }>`
    select ${age} as age from ${table} where ${age} <= ${end} ${further}
    order by ${age} limit 1 offset ${sql.lit(batchOf(rule) - 1)}`.execute(kysely);
  const last = found.rows[0]?.age;
  await sql`delete from ${table} where ${age} <= ${last ?? end} ${further}`.execute(kysely);
  return last !== undefined;
}

async function pruneById<DB>(
  db: Database<DB>,
  { rule, keptMs, id }: { readonly rule: RetentionRule; readonly keptMs: number; readonly id: string },
): Promise<boolean> {
  const rows = await expiredRows(db, { rule, keptMs, columns: [id] });
  if (rows.length > 0) {
    const ids = rows.map((row) => row[id]);
    await sql`delete from ${sql.table(rule.table)} where ${sql.ref(id)} in (${sql.join(ids)})
      and ${rule.where ?? sql`1 = 1`}`.execute(db.kysely);
  }
  return rows.length === batchOf(rule);
}

/** One batch of expired rows, the oldest first. */
async function expiredRows<DB>(
  { kysely, dialect }: Database<DB>,
  { rule, keptMs, columns }: { rule: RetentionRule; keptMs: number; columns: readonly string[] },
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { timedIds, where } = rule;
  const conditions: RawBuilder<SqlBool>[] = [sql`${sql.ref(rule.age)} <= ${endOf(dialect, rule, keptMs)}`];
  if (timedIds !== undefined) {
    const { column, prefix = "", clock } = timedIds;
    conditions.push(sql`${sql.ref(column)} < ${prefix + firstIdAt(clock.now().getTime() - keptMs)}`);
  }
  if (where !== undefined) {
    conditions.push(where);
  }
  const { rows } = await sql<Record<string, unknown>>`
    select ${sql.join(columns.map((column) => sql.ref(column)))} from ${sql.table(rule.table)}
    where ${sql.join(conditions, sql` and `)}
    order by ${sql.ref(timedIds?.column ?? rule.age)} limit ${sql.lit(batchOf(rule))}`.execute(kysely);
  return rows;
}

/** The latest age that is no longer kept. */
function endOf(dialect: Database<unknown>["dialect"], { clock }: RetentionRule, keptMs: number): RawBuilder<number> {
  return clock === undefined ? sql`${nowMs(dialect)} - ${keptMs}` : sql`${clock.now().getTime() - keptMs}`;
}

function batchOf({ batch = RETENTION_BATCH }: RetentionRule): number {
  return batch;
}
