import { sql } from "kysely";
import type { Database } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";

/**
 * The columns of a table whose rows are work. `due_at` is when a row is to be taken, by the database's clock, null when
 * there is nothing to do. A claim moves it to the end of the claim's lease, so that the work of a dead process is due
 * again by itself, and counts `attempt` up, which is the claim's fence: whoever writes the outcome does so
 * `where attempt = …`.
 */
export interface DueColumns {
  id: string;
  due_at: number | null;
  attempt: number;
}

/** A row that is ours until its lease ends. */
export interface Claimed {
  readonly id: string;
  readonly attempt: number;
}

/**
 * Claims up to `limit` due rows, the longest due first. Processes that claim at once get different rows and do not wait
 * for each other. Looking costs one read when nothing is due.
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
