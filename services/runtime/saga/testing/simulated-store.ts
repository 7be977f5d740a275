import { setImmediate as nextTurn } from "node:timers/promises";
import type { Batch, Command, Commands } from "../../commands/command.ts";
import { decideAll, type Outcome, type PreparedCommand } from "../../commands/decide.ts";
import { createIdentityMap } from "../../commands/identity-map.ts";
import { defineMapping } from "../../commands/mapping.ts";
import { collectNeeds } from "../../commands/needs.ts";
import { defineTable } from "../../commands/table.ts";
import { claimedOf } from "../store/claimed-saga.ts";
import { type SagaRow, sagaRows } from "../store/saga-rows.ts";
import type { SagaStore } from "../store/saga-store.ts";

/** A line that a batch of the simulation writes besides the sagas. */
export interface Line {
  readonly nth: number;
  readonly saga: string;
  readonly text: string;
}

const lineRows = defineMapping({
  root: defineTable<Line>({ name: "lines", key: ["nth"], columns: ["nth", "saga", "text"] }),
  keyOf: ({ nth }: Line): [number] => [nth],
  fromRows: (row) => row,
  toRow: (row) => row,
});

/** An in-memory database, with a clock that only moves on request. */
export interface SimulatedDatabase {
  nowMs: number;
  readonly rows: Map<string, SagaRow>;
  readonly lines: Line[];
}

export function createSimulatedDatabase(): SimulatedDatabase {
  return { nowMs: 1_000, rows: new Map(), lines: [] };
}

let lines = 0;

/** Writes a line with the batch. */
export function writeLine(batch: Batch, saga: string, text: string): void {
  lines += 1;
  batch.insert(lineRows, { nth: lines, saga, text });
}

/** Runs a batch: the processor of `runtime/commands` without SQL. */
export function runBatch(database: SimulatedDatabase, commands: readonly PreparedCommand[]): readonly Outcome[] {
  const map = createIdentityMap();
  map.reset(
    [...database.rows.values()].map((root) => ({ mapping: sagaRows, key: [root.id], rows: { root, parts: [] } })),
  );
  const { outcomes } = decideAll(commands, map, database.nowMs);
  for (const { mapping, value } of map.changed()) {
    if (mapping === lineRows && value !== undefined) {
      database.lines.push(value as Line);
    } else if (mapping === sagaRows && value !== undefined) {
      database.rows.set((value as SagaRow).id, value as SagaRow);
    }
  }
  return outcomes;
}

/** Runs one command in its own batch; returns its result. */
export function runCommand<Result>(database: SimulatedDatabase, command: Command<Result>): Result {
  const [outcome] = runBatch(database, [{ command, needs: collectNeeds(command) }]);
  if (outcome === undefined || "error" in outcome) {
    throw outcome?.error;
  }
  return outcome.result as Result;
}

export interface SimulatedProcessOptions {
  readonly database: SimulatedDatabase;
  readonly owner: string;
  readonly leaseMs: number;
  /** Awaited before and after each write: the point where a crash, a stall or a lost response is injected. */
  readonly gate: () => Promise<void>;
}

/** Creates a process's command processor on the simulated database. */
export function createSimulatedCommands({
  database,
  gate,
}: Pick<SimulatedProcessOptions, "database" | "gate">): Pick<Commands, "execute"> {
  type Waiting = PreparedCommand & { settle(outcome: Outcome): void };
  const queue: Waiting[] = [];
  let running = false;
  const run = async () => {
    running = true;
    while (queue.length > 0) {
      await nextTurn();
      const batch = queue.splice(0);
      let outcomes: readonly Outcome[];
      try {
        await gate();
        outcomes = runBatch(database, batch);
        await gate();
      } catch (error) {
        outcomes = batch.map(() => ({ error }));
      }
      for (const [at, { settle }] of batch.entries()) {
        settle(outcomes[at] as Outcome);
      }
    }
    running = false;
  };
  return {
    execute: <Result>(command: Command<Result>) =>
      new Promise<Result>((resolve, reject) => {
        const settle = (outcome: Outcome) =>
          "error" in outcome ? reject(outcome.error as Error) : resolve(outcome.result as Result);
        queue.push({ command, needs: collectNeeds(command), settle });
        if (!running) {
          void run();
        }
      }),
  };
}

/** Creates the part of a runner's store that claims sagas: the rules of `sql-store.ts` without SQL. */
export function createSimulatedStore({
  database,
  owner,
  leaseMs,
  gate,
}: SimulatedProcessOptions): Pick<SagaStore, "claim"> {
  return {
    async claim(limit) {
      await gate();
      const due = [...database.rows.values()].filter(({ due_at }) => due_at !== null && due_at <= database.nowMs);
      const claimed = due.slice(0, limit).map((row) => {
        const takeovers = row.takeovers + (row.owner === null ? 0 : 1);
        const taken = { ...row, takeovers, owner, epoch: row.epoch + 1, due_at: database.nowMs + leaseMs };
        database.rows.set(row.id, taken);
        return claimedOf(taken, taken.epoch);
      });
      await gate();
      return claimed;
    },
  };
}
