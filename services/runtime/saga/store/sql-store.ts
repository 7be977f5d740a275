import { type Selectable, sql } from "kysely";
import { createCommandsInTransaction } from "../../commands/in-transaction.ts";
import { type AnyTransaction, tablesOf, withTables } from "../../db/any-transaction.ts";
import type { Database } from "../../db/connect.ts";
import { databaseErrorKind } from "../../db/errors.ts";
import { nowMs, skipLocked } from "../../db/sql.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Clock } from "../../values/clock.ts";
import { checkpointCommand, type Written } from "./checkpoint-command.ts";
import { claimedOf } from "./claimed-saga.ts";
import { type Checkpoint, EffectError, FencedError, type SagaStore } from "./saga-store.ts";
import type { SagasTable, SagaTables } from "./tables.ts";

export interface SqlSagaStoreOptions<DB extends SagaTables> {
  readonly db: Database<DB>;
  /** Globally unique id of this runner. */
  readonly owner: string;
  readonly leaseMs: number;
  readonly definitions: readonly { readonly name: string; readonly version: number }[];
  readonly outbox: Pick<Outbox, "publish">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Creates the saga store in a service's own database. */
export function createSqlSagaStore<DB extends SagaTables>(options: SqlSagaStoreOptions<DB>): SagaStore<DB> {
  const { db, owner, leaseMs, definitions, outbox, clock, log } = options;
  const runCommands = createCommandsInTransaction<DB>({ dialect: db.dialect, outbox, clock });
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

    commit: (checkpoints) =>
      db.transaction(async (trx) => {
        // Services lock their own rows before the saga's; checkpoints use the same order.
        const sorted = checkpoints.toSorted((a, b) => (a.saga.id < b.saga.id ? -1 : 1));
        for (const checkpoint of sorted) {
          for (const write of checkpoint.writes) {
            await effect(checkpoint, () => write(trx));
          }
        }
        const outcomes = await runCommands(
          trx,
          sorted.map((checkpoint) => checkpointCommand(checkpoint, { owner, leaseMs })),
        );
        const errors = outcomes.flatMap((outcome) => ("error" in outcome ? [outcome.error] : []));
        const fenced = errors.filter((error) => error instanceof FencedError);
        if (fenced.length > 0) {
          throw new FencedError(fenced.flatMap(({ ids }) => [...ids]));
        }
        const [error] = errors;
        if (error !== undefined) {
          throw error;
        }
        const written = new Map<Checkpoint<DB>, Written>();
        for (const [at, checkpoint] of sorted.entries()) {
          const { result } = outcomes[at] as { readonly result: Written };
          for (const hook of result.hooks) {
            await effect(checkpoint, () => checkpoint.hookIn(trx, hook, result.record));
          }
          written.set(checkpoint, result);
        }
        return checkpoints.map((checkpoint) => written.get(checkpoint) as Written);
      }),
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

/** Runs the effects of one saga's change. Errors that a retry of the transaction can fix are propagated unchanged. */
async function effect<DB>({ saga }: Checkpoint<DB>, run: () => Promise<void> | undefined): Promise<void> {
  try {
    await run();
  } catch (error) {
    const kind = databaseErrorKind(error);
    throw kind === "conflict" || kind === "lost" ? error : new EffectError(saga.id, error);
  }
}
