import type { OpenTestDatabase } from "../../testing/databases.ts";
import { until } from "../../testing/until.ts";
import { systemClock } from "../../values/clock.ts";
import { createIds } from "../../values/ids.ts";
import { done, refused, type SagaDefinition, type SagaStep } from "../definition.ts";
import type { SagaRunnerOptions } from "../runner/runner.ts";
import type { Saga, SagaStatus } from "../saga.ts";
import { type LedgerTables, note, noting, openLedger, runnerOn } from "./ledger.ts";

/** State of the sagas in tests. */
export interface TestState {
  readonly trail: readonly string[];
  readonly amount: bigint;
}

export type TestStep = SagaStep<TestState>;
export type TestSaga = SagaDefinition<TestState>;

const retry = { maxAttempts: 3, initialMs: 1, maxMs: 5 };

/** A step that writes its key into the ledger with its checkpoint, as does its compensation. */
export const step = (name: string, overrides: Partial<TestStep> = {}): TestStep => ({
  name,
  retry,
  compensationRetry: retry,
  invoke: async ({ state, idempotencyKey }) =>
    done({ state: { ...state, trail: [...state.trail, name] }, command: noting(idempotencyKey) }),
  compensate: async ({ idempotencyKey }) => done({ command: noting(idempotencyKey) }),
  ...overrides,
});

/** A saga that writes its transitions into the ledger. */
export const saga = (steps: readonly TestStep[], overrides: Partial<TestSaga> = {}): TestSaga => ({
  name: "test",
  version: 1,
  steps,
  hooks: {
    onSucceeded: (batch, { id }) => note(batch, `${id} succeeded`),
    onCompensating: (batch, { id, failure }) => note(batch, `${id} compensating: ${failure?.reason}`),
    onCompensated: (batch, { id, failure }) => note(batch, `${id} compensated: ${failure?.reason}`),
    onNeedsAttention: (batch, { id, attention }) => note(batch, `${id} needs attention: ${attention?.reason}`),
    onRetried: (batch, { id }) => note(batch, `${id} retried`),
  },
  ...overrides,
});

/** A step that is refused. */
export const refuse = (reason: string): Pick<TestStep, "invoke"> => ({
  invoke: async () => refused(reason, { message: "no" }),
});

const ids = createIds(systemClock);

/** Opens a ledger with a started runner of this saga. Disposing it stops the runner. */
export const runSaga =
  (open: OpenTestDatabase) =>
  async (definition: TestSaga, options: Partial<SagaRunnerOptions<LedgerTables>> = {}) => {
    const db = await openLedger(open);
    const runner = runnerOn(db, [definition], options);
    runner.start();
    const { sagas } = runner;
    return {
      db,
      sagas,
      runner,
      async start(id = ids.next()): Promise<string> {
        const state = { trail: [], amount: 12_345_678_901_234_567_890n };
        await db.transaction((trx) =>
          sagas.start(trx, { definition, id, tenant: "tenant-a", aggregate: `things/${id}`, state }),
        );
        return id;
      },
      /** Waits until the saga has this status. */
      async reaches(id: string, status: SagaStatus): Promise<Saga> {
        let found: Saga | undefined;
        await until(async () => {
          found = await sagas.get(id);
          return found?.status === status;
        });
        if (found === undefined) {
          throw new Error(`no saga ${id}`);
        }
        return found;
      },
      [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose](),
    };
  };
