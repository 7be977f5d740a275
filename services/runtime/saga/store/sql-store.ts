import { type Selectable, sql, type Transaction } from "kysely";
import { type AnyTransaction, tablesOf, withTables } from "../../db/any-transaction.ts";
import type { Database } from "../../db/connect.ts";
import { databaseErrorKind } from "../../db/errors.ts";
import { forUpdate, nowMs, skipLocked } from "../../db/sql.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import type { Logger } from "../../telemetry/log.ts";
import { currentStep, dueAtOf, type SagaRecord } from "../record.ts";
import { decodeRecord, encodeRecord } from "./record-codec.ts";
import {
  type Checkpoint,
  type ClaimedSaga,
  type Committed,
  EffectError,
  FencedError,
  type SagaStore,
} from "./saga-store.ts";
import type { SagasTable, SagaTables } from "./tables.ts";

export interface SqlSagaStoreOptions<DB extends SagaTables> {
  readonly db: Database<DB>;
  /** Globally unique id of this runner. */
  readonly owner: string;
  readonly leaseMs: number;
  readonly definitions: readonly { readonly name: string; readonly version: number }[];
  readonly outbox: Outbox | undefined;
  readonly log: Logger;
}

/** Creates the saga store in a service's own database. */
export function createSqlSagaStore<DB extends SagaTables>(options: SqlSagaStoreOptions<DB>): SagaStore<DB> {
  const { db, owner, leaseMs, definitions, outbox, log } = options;
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
          await effect(checkpoint, () => checkpoint.write?.(trx));
        }
        const stored = await lock(trx, sorted);
        const changes: Change<DB>[] = [];
        for (const checkpoint of sorted) {
          const { record, hooks } = checkpoint.change(stored.get(checkpoint.saga.id)?.record);
          for (const hook of hooks) {
            await effect(checkpoint, () => checkpoint.hook(trx, hook, record));
          }
          changes.push({ checkpoint, record, kept: checkpoint.keeps(record) });
        }
        await write(trx, changes);
        await outbox?.publish(
          trx,
          sorted.flatMap(({ events }) => events),
        );
        const outcomes = new Map(changes.map((change) => [change.checkpoint, change]));
        return checkpoints.map((checkpoint) => committedOf(outcomes.get(checkpoint), stored, checkpoint));
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

  /** Locks the rows and finds those that changed since the claim. */
  async function lock(trx: Transaction<DB>, checkpoints: readonly Checkpoint<DB>[]): Promise<Map<string, Stored>> {
    const sagas = withTables<SagaTables>(trx).selectFrom("sagas");
    const ids = checkpoints.map(({ saga }) => saga.id);
    const rows = await forUpdate(
      db.dialect,
      sagas.select(["id", "epoch", "revision"]).where("id", "in", ids),
    ).execute();
    const found = new Map(rows.map((row) => [row.id, row]));
    const fenced = checkpoints.filter(({ saga }) => found.get(saga.id)?.epoch !== saga.epoch);
    if (fenced.length > 0) {
      throw new FencedError(fenced.map(({ saga }) => saga.id));
    }
    const moved = checkpoints.filter(({ saga }) => found.get(saga.id)?.revision !== saga.revision);
    const stored = new Map<string, Stored>(rows.map(({ id, revision }) => [id, { revision, record: undefined }]));
    if (moved.length > 0) {
      const movedIds = moved.map(({ saga }) => saga.id);
      for (const row of await sagas
        .select(["id", "revision", "status", "data"])
        .where("id", "in", movedIds)
        .execute()) {
        stored.set(row.id, { revision: row.revision, record: decodeRecord(row) });
      }
    }
    return stored;
  }

  /** Writes all changes in one statement. The rows are locked, so the ids alone identify them. */
  async function write(trx: Transaction<DB>, changes: readonly Change<DB>[]): Promise<void> {
    const byId = (value: (change: Change<DB>) => unknown) =>
      sql<never>`case id ${sql.join(
        changes.map((change) => sql`when ${change.checkpoint.saga.id} then ${value(change)}`),
        sql` `,
      )} end`;
    await withTables<SagaTables>(trx)
      .updateTable("sagas")
      .set((row) => ({
        status: byId(({ record }) => record.status),
        step: byId(({ record }) => currentStep(record).name),
        data: byId(({ record }) => encodeRecord(record)),
        due_at: byId(({ record, kept }) => (kept ? leaseEnd : dueAtOf(record))),
        owner: byId(({ kept }) => (kept ? owner : null)),
        revision: row("revision", "+", 1),
        takeovers: 0,
        updated_at: now,
      }))
      .where(
        "id",
        "in",
        changes.map(({ checkpoint }) => checkpoint.saga.id),
      )
      .execute();
  }
}

interface Stored {
  readonly revision: number;
  /** Only if it differs from the runner's. */
  readonly record: SagaRecord | undefined;
}

interface Change<DB> {
  readonly checkpoint: Checkpoint<DB>;
  readonly record: SagaRecord;
  readonly kept: boolean;
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

function committedOf<DB>(
  change: Change<DB> | undefined,
  stored: Map<string, Stored>,
  { saga }: Checkpoint<DB>,
): Committed {
  if (change === undefined) {
    throw new Error(`saga ${saga.id} is twice in one batch`);
  }
  const { record, kept } = change;
  return { record, kept, revision: (stored.get(saga.id)?.revision ?? saga.revision) + 1 };
}

/** Converts a row to a saga claimed with this epoch. */
export function claimedOf(row: Selectable<SagasTable>, epoch: number): ClaimedSaga {
  return {
    id: row.id,
    tenant: row.tenant_id,
    aggregate: row.aggregate,
    definition: row.definition,
    version: row.version,
    createdAt: row.created_at,
    record: decodeRecord(row),
    epoch,
    revision: row.revision,
    takeovers: row.takeovers,
  };
}
