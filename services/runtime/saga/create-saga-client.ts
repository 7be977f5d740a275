import { type Selectable, type SqlBool, sql } from "kysely";
import { afterCommit } from "../db/after-commit.ts";
import { type AnyTransaction, tablesOf, withTables } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { createDatabaseClock, type DatabaseClock } from "../db/database-clock.ts";
import { forUpdate, nowMs } from "../db/sql.ts";
import { traceFields } from "../telemetry/tracing.ts";
import { systemClock } from "../values/clock.ts";
import {
  type Command,
  compensateCommand,
  pauseCommand,
  resumeCommand,
  retryCommand,
  signalCommand,
} from "./commands.ts";
import type { Definitions } from "./definition-registry.ts";
import { currentStep, dueAtOf, type SagaRecord } from "./record.ts";
import type { CommandResult, Sagas } from "./saga-client.ts";
import { viewOf } from "./saga-view.ts";
import { decodeRecord, encodeRecord } from "./store/record-codec.ts";
import type { ClaimedSaga } from "./store/saga-store.ts";
import { claimedOf } from "./store/sql-store.ts";
import type { SagasTable, SagaTables } from "./store/tables.ts";
import { begin } from "./transitions.ts";

/** The runner of this process, which immediately runs sagas that a transaction makes due. */
export interface LocalRunner<DB> {
  readonly definitions: Definitions<DB>;
  readonly databaseClock: DatabaseClock;
  readonly owner: string;
  readonly leaseMs: number;
  /** Whether it has capacity for one more saga. */
  accepts(): boolean;
  /** Runs a saga that was stored as claimed by this runner. */
  take(saga: ClaimedSaga): void;
  /** Polls for due sagas. */
  nudge(): void;
}

/** A client before or without a runner: other processes find what it writes by polling. */
const detached = {
  definitions: { all: [], find: () => undefined },
  owner: "",
  leaseMs: 0,
  accepts: () => false,
  take: () => {},
  nudge: () => {},
};

/** The client of a database's sagas, which the runner of the process attaches itself to. */
export interface SagaClient<DB> extends Sagas {
  /** Hands sagas over to this runner from now on. Sagas can only be started if a runner knows their definition. */
  attach(runner: LocalRunner<DB>): void;
}

/** The record with the trace in which the saga is started. */
function withActiveTrace(record: SagaRecord): SagaRecord {
  const trace = traceFields();
  return "traceparent" in trace ? { ...record, trace } : record;
}

/**
 * Creates the client of a database's sagas. It is created before the definitions, whose steps may use it.
 *
 * ```ts
 * const sagas = createSagaClient({ db });
 * const runner = createSagaRunner({ db, sagas, outbox, log, definitions: [bookTrip({ sagas, … })] });
 * ```
 */
export function createSagaClient<DB extends SagaTables>({ db }: { readonly db: Database<DB> }): SagaClient<DB> {
  const { dialect } = db;
  let runner: LocalRunner<DB> = { ...detached, databaseClock: createDatabaseClock(dialect, systemClock) };
  const tables = tablesOf<SagaTables>(db.kysely);

  /** The columns that determine when and by which runner the saga is run next. */
  const placing = (record: SagaRecord, now: number, epoch: number) => {
    const dueAt = dueAtOf(record);
    const taken = dueAt !== null && dueAt <= now && runner.accepts();
    const columns = taken
      ? { owner: runner.owner, epoch: epoch + 1, due_at: sql<number>`${nowMs(dialect)} + ${runner.leaseMs}` }
      : { owner: null, epoch, due_at: dueAt };
    return { taken, columns };
  };

  const afterwards = (trx: AnyTransaction, taken: boolean, row: Selectable<SagasTable>) => {
    afterCommit(trx, taken ? () => runner.take(claimedOf(row, row.epoch)) : () => runner.nudge());
  };

  const apply = async (
    trx: AnyTransaction,
    id: string,
    commandFor: (row: Selectable<SagasTable>) => Command,
  ): Promise<CommandResult> => {
    const sagas = withTables<SagaTables>(trx);
    const found = sagas.selectFrom("sagas").selectAll().select(nowMs(dialect).as("now")).where("id", "=", id);
    const locked = await forUpdate(dialect, found).executeTakeFirst();
    if (locked === undefined) {
      return { ok: false, reason: "NOT_FOUND" };
    }
    const { now, ...row } = locked;
    const definition = runner.definitions.find(row);
    const stored = decodeRecord(row);
    const transition = commandFor(row)(stored, now, row.owner !== null || definition === undefined);
    if (transition === undefined) {
      return { ok: false, reason: "WRONG_STATUS", status: stored.status };
    }
    const { record, hooks } = transition;
    if (record === stored) {
      return { ok: true };
    }
    const place =
      definition === undefined ? { taken: false, columns: { due_at: now } } : placing(record, now, row.epoch);
    const { taken, columns } = row.owner === null ? place : { taken: false, columns: {} };
    const revision = row.revision + 1;
    const written = { status: record.status, step: currentStep(record).name, data: encodeRecord(record), revision };
    await sagas
      .updateTable("sagas")
      .set({ ...written, ...columns, updated_at: nowMs(dialect) })
      .where("id", "=", id)
      .execute();
    const saga = claimedOf({ ...row, ...written }, row.epoch);
    for (const hook of hooks) {
      await definition?.[hook]?.(withTables<DB>(trx), viewOf(saga, record, now));
    }
    afterwards(trx, taken, { ...row, ...written, epoch: row.epoch + 1 });
    return { ok: true };
  };

  return {
    attach(attached) {
      runner = attached;
    },

    async start(trx, { definition, id, tenant, aggregate, state }) {
      const { name, version } = definition;
      const known = runner.definitions.find({ definition: name, version });
      if (known === undefined) {
        throw new RangeError(`no runner of this process knows the saga ${name} version ${version}`);
      }
      const now = await runner.databaseClock.read(trx);
      const record = withActiveTrace(begin(known, state, now));
      const { taken, columns } = placing(record, now, 0);
      const row = {
        ...{ id, tenant_id: tenant, aggregate, definition: name, version },
        ...{ status: record.status, step: currentStep(record).name, data: encodeRecord(record) },
        ...{ revision: 0, takeovers: 0, created_at: now, updated_at: now },
      };
      await withTables<SagaTables>(trx)
        .insertInto("sagas")
        .values({ ...row, ...columns })
        .execute();
      afterwards(trx, taken, { ...row, owner: runner.owner, epoch: columns.epoch, due_at: now });
    },

    async signal(trx, sagaId, name, payload, id = name) {
      const result = await apply(trx, sagaId, () => signalCommand(name, id, payload));
      return result.ok;
    },

    compensate: (trx, sagaId, reason, message = reason) => apply(trx, sagaId, () => compensateCommand(reason, message)),

    retry: (trx, sagaId, { fromStep } = {}) =>
      apply(trx, sagaId, (row) => {
        const definition = runner.definitions.find(row);
        if (definition === undefined) {
          throw new RangeError(`this process does not know the saga ${row.definition} version ${row.version}`);
        }
        return retryCommand(definition, fromStep);
      }),

    pause: (trx, sagaId) => apply(trx, sagaId, () => pauseCommand),

    resume: (trx, sagaId) => apply(trx, sagaId, () => resumeCommand),

    async get(sagaId) {
      const row = await tables.selectFrom("sagas").selectAll().where("id", "=", sagaId).executeTakeFirst();
      return row && viewOf(claimedOf(row, row.epoch), decodeRecord(row), row.updated_at);
    },

    async list({ reads, tenant, limit, beforeId, where }) {
      const rows = await (reads ? tablesOf<SagaTables>(reads) : tables)
        .selectFrom("sagas")
        .selectAll()
        .$if(tenant !== undefined, (query) => query.where("tenant_id", "=", tenant ?? ""))
        .$if(beforeId !== undefined, (query) => query.where("id", "<", beforeId ?? ""))
        .$if(where !== undefined, (query) => query.where(where ?? sql<SqlBool>`1 = 1`))
        .orderBy("id", "desc")
        .limit(limit)
        .execute();
      return rows.map((row) => viewOf(claimedOf(row, row.epoch), decodeRecord(row), row.updated_at));
    },
  };
}
