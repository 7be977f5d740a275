import { sql } from "kysely";
import type { Database } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";

/**
 * Columns of a table whose rows are work. `due_at` is when a row may be claimed, by the database's clock; null if there
 * is nothing to do. A claim moves it to the end of the lease, so that the work of a crashed process becomes due again,
 * and increments `attempt`, the fencing token: outcomes are written `where attempt = …`.
 */
export interface DueColumns {
  id: string;
  due_at: number | null;
  attempt: number;
}

/** A row claimed until its lease expires. */
export interface Claimed {
  readonly id: string;
  readonly attempt: number;
}

/**
 * Claims up to `limit` due rows, longest overdue first. Concurrent processes claim disjoint rows without waiting for
 * each other. Costs one read if nothing is due.
 */
export async function claimDue<Table extends string>(
  db: Database<Record<Table, DueColumns>>,
  table: Table,
  { limit, leaseMs }: { limit: number; leaseMs: number },
): Promise<readonly Claimed[]> {
  const now = nowMs(db.dialect);
  const due = sql`from ${sql.table(table)} where due_at <= ${now} order by due_at limit ${sql.lit(limit)}`;
  const seen = await sql<{ id: string }>`select id ${due}`.execute(db.kysely);
  if (seen.rows.length === 0) {
    return [];
  }
  const lock = db.dialect === "mysql" ? sql`for update skip locked` : sql``;
  return db.transaction(async (trx) => {
    const { rows } = await sql<Claimed>`select id, attempt + 1 as attempt ${due} ${lock}`.execute(trx);
    if (rows.length > 0) {
      const ids = sql.join(rows.map((row) => row.id));
      await sql`update ${sql.table(table)} set due_at = ${now} + ${leaseMs}, attempt = attempt + 1 where id in (${ids})`.execute(
        trx,
      );
    }
    return rows;
  });
}

/**
 * Hands claims back: their rows are due at once. Rows that were settled or claimed again meanwhile are left alone. Of a
 * row that was postponed meanwhile, the pause is lost.
 */
export async function releaseClaims<Table extends string>(
  db: Database<Record<Table, DueColumns>>,
  table: Table,
  claims: readonly Claimed[],
): Promise<void> {
  const now = nowMs(db.dialect);
  for (const { id, attempt } of claims) {
    await sql`update ${sql.table(table)} set due_at = ${now} where id = ${id} and attempt = ${attempt} and due_at > ${now}`.execute(
      db.kysely,
    );
  }
}
