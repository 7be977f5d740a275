import { setImmediate as nextTurn } from "node:timers/promises";
import type { Batch } from "../../commands/command.ts";
import { createDatabaseClock } from "../../db/database-clock.ts";
import { createLogger } from "../../telemetry/log.ts";
import { type Clock, systemClock } from "../../values/clock.ts";
import { createBatchSagaWriter } from "../batch-sagas.ts";
import {
  compensateCommand,
  pauseCommand,
  resumeCommand,
  retryCommand,
  type SagaCommand,
  signalCommand,
} from "../commands.ts";
import { done, later, refused, type SagaDefinition, type SagaStep } from "../definition.ts";
import { createDefinitions } from "../definition-registry.ts";
import { createCommitter } from "../runner/committer.ts";
import { createWorker, type Worker } from "../runner/worker.ts";
import { decodeRecord } from "../store/record-codec.ts";
import { sagaRows } from "../store/saga-rows.ts";
import {
  createSimulatedCommands,
  createSimulatedDatabase,
  createSimulatedStore,
  runCommand,
  writeLine,
} from "./simulated-store.ts";

/** Outcome of one attempt at a step. */
export type Attempt = "done" | "refuse" | "throw before" | "throw after" | "later" | "bad write";

/** A planned step. Attempts beyond the lists succeed. */
export interface PlannedStep {
  readonly undoable: boolean;
  readonly waits: boolean;
  readonly attention: boolean;
  /** Is stored before and after. */
  readonly isolated: boolean;
  readonly returnsState: boolean;
  readonly forward: readonly Attempt[];
  readonly backward: readonly Attempt[];
}

/** A simulation event. `pick` selects among the current candidates. */
export type Happening =
  | { readonly kind: "go" | "crash" | "break"; readonly pick: number }
  | { readonly kind: "claim"; readonly pick: number }
  | { readonly kind: "tick"; readonly ms: number }
  | { readonly kind: "signal" | "compensate" | "pause" | "resume" | "retry"; readonly pick: number };

export interface Plan {
  readonly sagas: number;
  readonly deadlineMs: number | undefined;
  readonly steps: readonly PlannedStep[];
  readonly happenings: readonly Happening[];
}

/** State of an idempotency key in the external system, which the steps call. */
export interface Effect {
  applied: boolean;
  undone: boolean;
}

/** A fault of the engine, to prove that the simulation finds it: checkpoints of runners that lost their saga are written. */
export type PlantedFault = "no fence";

/** Final state of a simulation. */
export interface Ending {
  readonly statuses: ReadonlyMap<string, { readonly status: string; readonly round: number }>;
  readonly effects: ReadonlyMap<string, Effect>;
  /** Lines written by transactions, by saga, in commit order. */
  readonly lines: ReadonlyMap<string, readonly string[]>;
}

interface Gate {
  readonly runner: Runner;
  /** Whether it is an external call, which proceeds even if its caller has crashed. */
  readonly outside: boolean;
  readonly open: () => void;
  readonly fail: (error: Error) => void;
}

interface Runner {
  alive: boolean;
  readonly worker: Worker;
  readonly shutdown: AbortController;
  claim(limit: number): void;
}

const log = createLogger({ level: "silent", name: "simulation" });
const LEASE_MS = 1_000;
const RUNNERS = 3;

/**
 * Runs a plan: workers of `worker.ts` on a simulated database and clock, stopping before and after every call and
 * statement until the plan continues or crashes them, or drops the response. Afterwards everything succeeds until all
 * is settled.
 */
export async function simulate(plan: Plan, fault?: PlantedFault): Promise<Ending> {
  const database = createSimulatedDatabase();
  const effects = new Map<string, Effect>();
  const gates: Gate[] = [];
  const runners: Runner[] = [];
  const attempts = new Map<string, number>();
  let faulty = true;

  const definition = planned(plan, {
    gate: () => currentGate(),
    next: (script, key) => {
      const nth = attempts.get(key) ?? 0;
      attempts.set(key, nth + 1);
      return (faulty ? script[nth] : undefined) ?? "done";
    },
    effectOf: (key) => {
      const effect = effects.get(key) ?? { applied: false, undone: false };
      effects.set(key, effect);
      return effect;
    },
    line: writeLine,
  });

  /** Steps do not know their runner: it is the one resumed last. */
  let resumed: Runner | undefined;
  const gateOf = (runner: Runner | undefined, outside: boolean) =>
    new Promise<void>((open, fail) => {
      if (runner?.alive) {
        gates.push({ runner, outside, open, fail });
      }
    });
  const currentGate = () => gateOf(resumed, true);

  const definitions = createDefinitions([definition]);
  const writer = createBatchSagaWriter(() => ({
    definitions,
    databaseClock: createDatabaseClock("sqlite", systemClock),
    ...{ owner: "", leaseMs: 0, accepts: () => false, take() {}, interrupt() {}, nudge() {} },
  }));

  const createRunner = (): Runner => {
    const shutdown = new AbortController();
    const clock: Clock = { now: () => new Date(database.nowMs), monotonicMs: () => database.nowMs };
    const gate = () => gateOf(runner, false);
    const owner = `runner-${runners.length}`;
    const options = { database, owner, leaseMs: LEASE_MS, gate };
    const store = createSimulatedStore(options);
    const commit = createCommitter({
      ...options,
      commands: createSimulatedCommands(options),
    });
    const worker = createWorker({
      definitions,
      commit:
        fault === "no fence"
          ? (checkpoint) => {
              const epoch = database.rows.get(checkpoint.saga.id)?.epoch ?? 0;
              return commit({ ...checkpoint, saga: { ...checkpoint.saga, epoch } });
            }
          : commit,
      clock,
      databaseClock: { peek: () => database.nowMs },
      random: () => 0.5,
      log,
      shutdown: shutdown.signal,
      segmentMs: LEASE_MS / 3,
      draining: () => false,
    });
    const runner: Runner = {
      ...{ alive: true, worker, shutdown },
      claim(limit) {
        const claimed = store.claim(limit).then((sagas) => Promise.all(sagas.map(worker.run)));
        claimed.catch(() => {});
      },
    };
    runners.push(runner);
    return runner;
  };

  const calm = async () => {
    for (let turn = 0; turn < 4; turn++) {
      await nextTurn();
    }
  };
  const release = async (gate: Gate | undefined, how: "open" | "fail") => {
    if (gate !== undefined) {
      gates.splice(gates.indexOf(gate), 1);
      resumed = gate.runner;
      how === "open" ? gate.open() : gate.fail(Object.assign(new Error("connection lost"), { code: "ECONNRESET" }));
      await calm();
    }
  };
  const crash = (runner: Runner) => {
    runner.alive = false;
    const left = gates.filter((gate) => gate.runner !== runner || gate.outside);
    gates.splice(0, gates.length, ...left);
  };
  const idOf = (pick: number) => `s${pick % plan.sagas}`;
  const tell = (pick: number, command: SagaCommand) => {
    const id = idOf(pick);
    runCommand(database, {
      keys: (need) => need.one(sagaRows, [id]),
      decide: (batch) => writer.apply(batch, batch.get(sagaRows, [id]), () => command),
    });
  };

  for (let nth = 0; nth < plan.sagas; nth++) {
    runCommand(database, {
      keys() {},
      decide: (batch) =>
        writer.start(batch, { definition, id: idOf(nth), tenant: "t", aggregate: "a", state: { undone: 0 } }),
    });
  }

  const act = async (happening: Happening): Promise<void> => {
    switch (happening.kind) {
      case "tick":
        database.nowMs += happening.ms;
        return;
      case "claim": {
        const alive = runners.filter((runner) => runner.alive);
        const runner = alive.length < RUNNERS ? createRunner() : alive[happening.pick % alive.length];
        runner?.claim(1 + (happening.pick % 3));
        return calm();
      }
      case "crash":
        crash(gates[happening.pick % gates.length]?.runner ?? createRunner());
        return;
      case "go":
      case "break":
        return release(gates[happening.pick % gates.length], happening.kind === "go" ? "open" : "fail");
      case "signal":
        return tell(happening.pick, signalCommand("paid", `e${happening.pick % 2}`, null));
      case "compensate":
        return tell(happening.pick, compensateCommand("CANCELLED", "by the plan"));
      case "pause":
        return tell(happening.pick, pauseCommand);
      case "resume":
        return tell(happening.pick, resumeCommand);
      case "retry":
        return tell(happening.pick, retryCommand(definition));
      default:
        return happening satisfies never;
    }
  };

  for (const happening of plan.happenings) {
    await act(happening);
  }
  faulty = false;
  const ended = () =>
    [...database.rows.values()].every(({ status }) => status === "SUCCEEDED" || status === "COMPENSATED");
  for (let round = 0; round < 500 && !(ended() && gates.length === 0); round++) {
    for (let nth = 0; nth < plan.sagas; nth++) {
      tell(nth, resumeCommand);
      tell(nth, signalCommand("paid", "at last", null));
      if (database.rows.get(idOf(nth))?.status === "NEEDS_ATTENTION") {
        tell(nth, retryCommand(definition));
      }
    }
    createRunner().claim(8);
    while (gates.length > 0) {
      await release(gates[0], "open");
    }
    database.nowMs += LEASE_MS + 60_000;
  }
  for (const runner of runners) {
    runner.alive = false;
    runner.shutdown.abort();
  }
  const statuses = [...database.rows].map(
    ([id, row]) => [id, { status: row.status, round: decodeRecord(row).round }] as const,
  );
  const lines = Map.groupBy(database.lines, ({ saga }) => saga);
  return {
    statuses: new Map(statuses),
    effects,
    lines: new Map([...lines].map(([id, of]) => [id, of.map(({ text }) => text)])),
  };
}

interface Outside {
  gate(): Promise<void>;
  next(script: readonly Attempt[], key: string): Attempt;
  effectOf(key: string): Effect;
  line(batch: Batch, saga: string, text: string): void;
}

/**
 * The saga of a plan: its steps call an external system with idempotency keys, and each writes a line when it is stored.
 */
function planned({ steps, deadlineMs }: Plan, outside: Outside): SagaDefinition<unknown> {
  const hook =
    (name: string) =>
    (batch: Batch, { id }: { readonly id: string }) =>
      outside.line(batch, id, name);
  return {
    name: "simulated",
    version: 1,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    steps: steps.map((plan, at) => plannedStep(plan, at, outside)),
    hooks: {
      onSucceeded: hook("onSucceeded"),
      onCompensating: hook("onCompensating"),
      onCompensated: hook("onCompensated"),
      onNeedsAttention: hook("onNeedsAttention"),
      onRetried: hook("onRetried"),
    },
  };
}

function plannedStep(plan: PlannedStep, at: number, outside: Outside): SagaStep<unknown> {
  return {
    name: `step-${at}`,
    retry: { maxAttempts: 3, initialMs: 10, maxMs: 100 },
    compensationRetry: { maxAttempts: 3, initialMs: 10, maxMs: 100 },
    isolated: plan.isolated,
    whenExhausted: plan.attention ? "needs-attention" : "compensate",
    ...(plan.waits ? { waitFor: { signals: ["paid"], deadline: () => ({ afterMs: 700 }) } } : {}),
    async invoke({ sagaId, idempotencyKey }) {
      const attempt = outside.next(plan.forward, idempotencyKey);
      await outside.gate();
      const effect = outside.effectOf(idempotencyKey);
      if (attempt === "throw before") {
        throw new Error("unavailable");
      }
      if (attempt === "later" && !effect.applied) {
        return later(50);
      }
      const refuses = attempt === "refuse" && !effect.applied;
      // The callee's side of the contract: an undone key stays undone, even for late calls. A refusal is not stored.
      effect.applied ||= !refuses && !effect.undone;
      await outside.gate();
      if (refuses) {
        return refused("NO");
      }
      if (attempt === "throw after") {
        throw new Error("reply lost");
      }
      return done({
        ...(plan.returnsState && { state: { done: at } }),
        command: {
          keys() {},
          decide(batch) {
            outside.line(batch, sagaId, `do ${at}`);
            if (attempt === "bad write") {
              throw new Error("stale version");
            }
          },
        },
      });
    },
    ...(plan.undoable
      ? {
          async compensate({ sagaId, idempotencyKey }) {
            const attempt = outside.next(plan.backward, idempotencyKey);
            await outside.gate();
            if (attempt === "throw before") {
              throw new Error("unavailable");
            }
            outside.effectOf(idempotencyKey.replace(/\/undo$/, "")).undone = true;
            await outside.gate();
            if (attempt === "throw after") {
              throw new Error("reply lost");
            }
            return attempt === "later"
              ? later(50)
              : done({ command: { keys() {}, decide: (batch) => outside.line(batch, sagaId, `undo ${at}`) } });
          },
        }
      : {}),
  };
}
