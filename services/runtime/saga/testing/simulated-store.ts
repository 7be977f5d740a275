import type { Transaction } from "kysely";
import type { SagaCommand } from "../commands.ts";
import { dueAtOf, type SagaRecord } from "../record.ts";
import { type ClaimedSaga, EffectError, FencedError, type SagaIdentity, type SagaStore } from "../store/saga-store.ts";

/** A row of `sagas`. */
interface Row {
  readonly identity: SagaIdentity;
  record: SagaRecord;
  owner: string | undefined;
  epoch: number;
  revision: number;
  takeovers: number;
  dueAt: number | null;
}

/** A line that a transaction of the simulation writes besides the sagas. */
export type Line = readonly [saga: string, text: string];

/** An in-memory database, with a clock that only moves on request. */
export interface SimulatedDatabase {
  nowMs: number;
  readonly rows: Map<string, Row>;
  readonly lines: Line[];
  /** Uncommitted lines by transaction. */
  readonly pending: WeakMap<object, Line[]>;
}

export function createSimulatedDatabase(): SimulatedDatabase {
  return { nowMs: 1_000, rows: new Map(), lines: [], pending: new WeakMap() };
}

/** Writes a line with the transaction. */
export function writeLine(database: SimulatedDatabase, trx: object, ...line: Line): void {
  database.pending.get(trx)?.push(line);
}

export interface SimulatedStoreOptions {
  readonly database: SimulatedDatabase;
  readonly owner: string;
  readonly leaseMs: number;
  /** Awaited before and after each write statement: the point where a crash, a stall or a lost response is injected. */
  readonly gate: () => Promise<void>;
}

/** Creates the runner's store on the simulated database: the rules of `sql-store.ts` without SQL. */
export function createSimulatedStore({ database, owner, leaseMs, gate }: SimulatedStoreOptions): SagaStore<unknown> {
  const place = (row: Row, kept: boolean) => {
    row.owner = kept ? owner : undefined;
    row.dueAt = kept ? database.nowMs + leaseMs : dueAtOf(row.record);
  };
  return {
    async look() {
      const due = [...database.rows.values()].flatMap(({ dueAt }) => dueAt ?? []);
      return { now: database.nowMs, dueAt: due.length === 0 ? null : Math.min(...due) };
    },

    async claim(limit) {
      await gate();
      const due = [...database.rows.values()].filter(({ dueAt }) => dueAt !== null && dueAt <= database.nowMs);
      const claimed = due.slice(0, limit).map((row): ClaimedSaga => {
        row.takeovers += row.owner === undefined ? 0 : 1;
        row.epoch += 1;
        place(row, true);
        const { record, epoch, revision, takeovers } = row;
        return { ...row.identity, record, epoch, revision, takeovers };
      });
      await gate();
      return claimed;
    },

    async renew() {},

    async commit(checkpoints) {
      await gate();
      const trx = { isTransaction: true } as unknown as Transaction<unknown>;
      const lines: Line[] = [];
      database.pending.set(trx, lines);
      const found = checkpoints.map((checkpoint) => ({ checkpoint, row: database.rows.get(checkpoint.saga.id) }));
      const effect = async (id: string, run: () => Promise<void> | undefined) => {
        try {
          await run();
        } catch (error) {
          throw new EffectError(id, error);
        }
      };
      for (const { checkpoint } of found) {
        await effect(checkpoint.saga.id, () => checkpoint.write?.(trx));
      }
      const fenced = found.filter(({ checkpoint, row }) => row?.epoch !== checkpoint.saga.epoch);
      if (fenced.length > 0) {
        throw new FencedError(fenced.map(({ checkpoint }) => checkpoint.saga.id));
      }
      const changes = [];
      for (const { checkpoint, row } of found) {
        const stored = row?.revision === checkpoint.saga.revision ? undefined : row?.record;
        const { record, hooks } = checkpoint.change(stored);
        for (const hook of hooks) {
          await effect(checkpoint.saga.id, () => checkpoint.hookIn(trx, hook, record));
        }
        changes.push({ row, record, kept: checkpoint.keeps(record) });
      }
      const committed = changes.map(({ row, record, kept }) => {
        if (row === undefined) {
          throw new Error("a claimed saga has no row");
        }
        row.record = record;
        row.revision += 1;
        row.takeovers = 0;
        place(row, kept);
        return { record, revision: row.revision, kept };
      });
      database.lines.push(...lines);
      await gate();
      return committed;
    },
  };
}

/** Runs a command in its own transaction, like `create-saga-client.ts`; returns whether it was possible. */
export function command(
  database: SimulatedDatabase,
  id: string,
  run: SagaCommand,
  hook: (hook: string) => void,
): boolean {
  const row = database.rows.get(id);
  const transition = row && run(row.record, database.nowMs, row.owner !== undefined);
  if (row === undefined || transition === undefined) {
    return false;
  }
  if (transition.record !== row.record) {
    row.record = transition.record;
    row.revision += 1;
    row.dueAt = row.owner === undefined ? dueAtOf(row.record) : row.dueAt;
    transition.hooks.forEach(hook);
  }
  return true;
}
