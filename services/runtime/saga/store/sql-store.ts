import { type Selectable, sql } from "kysely";
import { type AnyTransaction, tablesOf, withTables } from "../../db/any-transaction.ts";
import type { Database } from "../../db/connect.ts";
import { nowMs, skipLocked } from "../../db/sql.ts";
import type { Logger } from "../../telemetry/log.ts";
import { claimedOf } from "./claimed-saga.ts";
import type { SagaStore } from "./saga-store.ts";
import type { SagasTable, SagaTables } from "./tables.ts";

export interface SqlSagaStoreOptions<DB extends SagaTables> {
  readonly db: Database<DB>;
  /** Globally unique id of this runner. */
  readonly owner: string;
  readonly leaseMs: number;
  readonly definitions: readonly { readonly name: string; readonly version: number }[];
  readonly log: Logger;
}

/** Creates the saga store in a service's own database. */
export function createSqlSagaStore<DB extends SagaTables>(options: SqlSagaStoreOptions<DB>): SagaStore {
  const { db, owner, leaseMs, definitions, log } = options;
  const now = nowMs(db.dialect);
  const leaseEnd = sql<number>`${now} + ${leaseMs}`;
  const each = definitions.map(({ name, version }) => sql`(definition = ${name} and version = ${version})`);
  const known = sql<boolean>`(${each.length === 0 ? sql`1 = 0` : sql.join(each, sql` or `)})`;

  return {
    async look() {
      const query = sql<{ now: number; due_at: number | null }>`
        select ${now} as now, (select min(due_at) from sagas) as due_at`;
      const { rows } = await query.execute(db.kysely);
      return { now: Number(rows[0]?.now), dueAt: rows[0]?.due_at ?? null };
    },

    async claim(limit) {
      const rows = await db.transaction((trx) => claimRows(trx, limit));
      return rows.flatMap((row) => {
        try {
          return claimedOf({ ...row, takeovers: row.takeovers + (row.owner === null ? 0 : 1) }, row.epoch + 1);
        } catch (error) {
          // It is claimed again after each lease without blocking others.
          log.error({ err: error, saga: row.id }, "saga cannot be read");
          return [];
        }
      });
    },

    async renew(ids) {
      const sagas = tablesOf<SagaTables>(db.kysely);
      const mine = sagas.updateTable("sagas").set({ due_at: leaseEnd }).where("owner", "=", owner);
      await mine.where("id", "in", [...ids].sort()).execute();
    },
  };

  async function claimRows(trx: AnyTransaction, limit: number): Promise<Selectable<SagasTable>[]> {
    const sagas = withTables<SagaTables>(trx);
    const due = sagas.selectFrom("sagas").selectAll().where("due_at", "<=", now).where(known);
    const rows = await skipLocked(db.dialect, due.orderBy("due_at").limit(limit)).execute();
    if (rows.length > 0) {
      await sagas
        .updateTable("sagas")
        // MySQL assigns from left to right: the old owner is read before it is replaced.
        .set({ takeovers: sql`case when owner is null then takeovers else takeovers + 1 end`, owner })
        .set((row) => ({ epoch: row("epoch", "+", 1), due_at: leaseEnd }))
        .where("id", "in", rows.map((row) => row.id).sort())
        .execute();
    }
    return rows;
  }
}
