import { type SqlBool, sql } from "kysely";
import type { Command } from "../commands/command.ts";
import { createCommandsInTransaction } from "../commands/in-transaction.ts";
import { type AnyTransaction, tablesOf, withTables } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { createDatabaseClock } from "../db/database-clock.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { systemClock } from "../values/clock.ts";
import {
  type CommandFor,
  createBatchSagas,
  createBatchSagaWriter,
  nameHookRows,
  retryFor,
  type SagaAggregate,
} from "./batch-sagas.ts";
import { type CommandResult, compensateCommand, pauseCommand, resumeCommand, signalCommand } from "./commands.ts";
import type { LocalRunner } from "./runner/local-runner.ts";
import type { Sagas } from "./saga-client.ts";
import { viewOf } from "./saga-view.ts";
import { claimedOf } from "./store/claimed-saga.ts";
import { decodeRecord } from "./store/record-codec.ts";
import { sagaRows } from "./store/saga-rows.ts";
import type { SagaTables } from "./store/tables.ts";

/** A client before or without a runner: other processes find what it writes by polling. */
const detached = {
  definitions: { all: [], find: () => undefined },
  owner: "",
  leaseMs: 0,
  accepts: () => false,
  take: () => {},
  interrupt: () => {},
  nudge: () => {},
};

/** The client of a database's sagas, which the runner of the process attaches itself to. */
export interface SagaClient extends Sagas {
  /** Hands sagas over to this runner from now on. Sagas can only be started if a runner knows their definition. */
  attach(runner: LocalRunner): void;
}

/**
 * Creates the client of a database's sagas. It is created before the definitions, whose steps may use it.
 *
 * ```ts
 * const sagas = createSagaClient({ db, outbox });
 * const runner = createSagaRunner({ db, commands, sagas, outbox, log, definitions: [bookTrip({ sagas, … })] });
 * ```
 */
export function createSagaClient<DB extends SagaTables>({
  db,
  outbox,
}: {
  readonly db: Database<DB>;
  /** For events of hooks. */
  readonly outbox: Pick<Outbox, "publish">;
}): SagaClient {
  const { dialect } = db;
  let runner: LocalRunner = { ...detached, databaseClock: createDatabaseClock(dialect, systemClock) };
  const writer = createBatchSagaWriter(() => runner);
  const runCommands = createCommandsInTransaction<DB>({ dialect, outbox, clock: systemClock });
  const tables = tablesOf<SagaTables>(db.kysely);

  /** Runs one command in the caller's transaction. */
  const runIn = async <Result>(trx: AnyTransaction, command: Command<Result>): Promise<Result> => {
    const [outcome] = await runCommands(withTables<DB>(trx), [command]);
    if (outcome === undefined || "error" in outcome) {
      throw outcome?.error;
    }
    return outcome.result as Result;
  };

  /** The aggregate whose rows the hooks of definitions need, if there are such hooks. */
  const aggregateOf = async (trx: AnyTransaction, id: string): Promise<SagaAggregate | undefined> => {
    if (!runner.definitions.all.some(({ hooks }) => hooks?.keys !== undefined)) {
      return undefined;
    }
    const sagas = withTables<SagaTables>(trx).selectFrom("sagas");
    return sagas.select(["tenant_id as tenant", "aggregate"]).where("id", "=", id).executeTakeFirst();
  };

  const apply = async (trx: AnyTransaction, id: string, commandFor: CommandFor): Promise<CommandResult> => {
    const aggregate = await aggregateOf(trx, id);
    return runIn(trx, {
      keys(need) {
        need.one(sagaRows, [id]);
        if (aggregate !== undefined) {
          nameHookRows(runner.definitions, need, aggregate);
        }
      },
      decide: (batch) => writer.apply(batch, batch.get(sagaRows, [id]), commandFor),
    });
  };

  return {
    inBatch: createBatchSagas(() => runner, writer),

    attach(attached) {
      runner = attached;
    },

    start: (trx, saga) => runIn(trx, { keys() {}, decide: (batch) => writer.start(batch, saga) }),

    async signal(trx, sagaId, name, payload, id = name) {
      const result = await apply(trx, sagaId, () => signalCommand(name, id, payload));
      return result.ok;
    },

    compensate: (trx, sagaId, reason, message = reason) => apply(trx, sagaId, () => compensateCommand(reason, message)),

    retry: (trx, sagaId, options) =>
      apply(
        trx,
        sagaId,
        retryFor(() => runner, options),
      ),

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
