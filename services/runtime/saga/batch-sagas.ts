import type { Batch, KeySet } from "../commands/command.ts";
import { traceFields } from "../telemetry/tracing.ts";
import {
  type CommandResult,
  compensateCommand,
  pauseCommand,
  resumeCommand,
  retryCommand,
  type SagaCommand,
  signalCommand,
} from "./commands.ts";
import type { Definitions } from "./definition-registry.ts";
import type { NewSaga } from "./new-saga.ts";
import { currentStep, dueAtOf, type SagaRecord } from "./record.ts";
import type { LocalRunner } from "./runner/local-runner.ts";
import type { Saga } from "./saga.ts";
import { viewOf } from "./saga-view.ts";
import { claimedOf } from "./store/claimed-saga.ts";
import { decodeRecord, encodeRecord } from "./store/record-codec.ts";
import { type SagaRow, sagaRows } from "./store/saga-rows.ts";
import { begin } from "./transitions.ts";

/** The aggregate that sagas are about. */
export interface SagaAggregate {
  readonly tenant: string;
  /** Resource name. */
  readonly aggregate: string;
}

export interface SagaKey extends SagaAggregate {
  readonly id: string;
}

/**
 * Commands to sagas within a batch, for `decide`. All but `start` require that the command named the aggregate's sagas
 * with `keys`. The runner of this process gets the sagas that become due, in memory, once the batch is on the disk.
 *
 * ```ts
 * const cancel = (ctx: TripContext, key: TripKey): Command<Trip> => ({
 *   keys(need) {
 *     need.one(trips, key);
 *     ctx.sagas.inBatch.keys(need, aggregateOf(key));
 *   },
 *   decide(batch) {
 *     const trip = cancelled(batch.get(trips, key));
 *     batch.update(trips, trip);
 *     ctx.sagas.inBatch.compensate(batch, { ...aggregateOf(key), id: trip.sagaId }, "CANCELLED");
 *     return trip;
 *   },
 * });
 * ```
 */
export interface BatchSagas {
  /** Names all sagas of an aggregate, and the rows that the hooks of their definitions need. */
  keys(need: KeySet, aggregate: SagaAggregate): void;
  /** Starts a saga with the commit. It needs no key, and is already claimed by the runner of this process. */
  start<State>(batch: Batch, saga: NewSaga<State>): void;
  /** The saga as earlier commands of the batch left it; undefined if the aggregate has none with this id. */
  get(batch: Batch, saga: SagaKey): Saga | undefined;
  /** See `Sagas.signal`. */
  signal(batch: Batch, saga: SagaKey, name: string, payload?: unknown, id?: string): boolean;
  /** See `Sagas.compensate`. */
  compensate(batch: Batch, saga: SagaKey, reason: string, message?: string): CommandResult;
  /** See `Sagas.retry`. */
  retry(batch: Batch, saga: SagaKey, options?: { readonly fromStep?: string }): CommandResult;
  /** See `Sagas.pause`. */
  pause(batch: Batch, saga: SagaKey): CommandResult;
  /** See `Sagas.resume`. */
  resume(batch: Batch, saga: SagaKey): CommandResult;
}

/** A command to a saga, which may depend on its definition. */
export type CommandFor = (row: SagaRow) => SagaCommand;

/** The writes of {@link BatchSagas}, and of the client's commands in transactions. */
export interface BatchSagaWriter {
  start<State>(batch: Batch, saga: NewSaga<State>): void;
  /** Applies a command to a saga's row that the batch has loaded. */
  apply(batch: Batch, row: SagaRow | undefined, commandFor: CommandFor): CommandResult;
}

export function createBatchSagaWriter(runner: () => LocalRunner): BatchSagaWriter {
  /** The columns that determine when and by which runner the saga is run next. */
  const placing = (record: SagaRecord, now: number, epoch: number) => {
    const dueAt = dueAtOf(record);
    const { accepts, owner, leaseMs } = runner();
    const taken = dueAt !== null && dueAt <= now && accepts();
    return taken
      ? { taken, columns: { owner, epoch: epoch + 1, due_at: now + leaseMs } }
      : { taken, columns: { owner: null, epoch, due_at: dueAt } };
  };

  const afterwards = (batch: Batch, taken: boolean, row: SagaRow) =>
    batch.afterCommit(() => {
      const { take, interrupt, nudge, owner } = runner();
      if (taken) {
        take(claimedOf(row, row.epoch));
      } else if (row.owner === owner) {
        interrupt(row.id);
      } else {
        nudge();
      }
    });

  return {
    start(batch, { definition, id, tenant, aggregate, state }) {
      const { name, version } = definition;
      const known = runner().definitions.find({ definition: name, version });
      if (known === undefined) {
        throw new RangeError(`no runner of this process knows the saga ${name} version ${version}`);
      }
      const record = withActiveTrace(begin(known, state, batch.nowMs));
      const { taken, columns } = placing(record, batch.nowMs, 0);
      const row: SagaRow = {
        ...{ id, tenant_id: tenant, aggregate, definition: name, version },
        ...{ status: record.status, step: currentStep(record).name, data: encodeRecord(record) },
        ...{ revision: 0, takeovers: 0, created_at: batch.nowMs, updated_at: batch.nowMs, ...columns },
      };
      batch.insert(sagaRows, row);
      afterwards(batch, taken, row);
    },

    apply(batch, row, commandFor) {
      if (row === undefined) {
        return { ok: false, reason: "NOT_FOUND" };
      }
      const definition = runner().definitions.find(row);
      const stored = decodeRecord(row);
      const transition = commandFor(row)(stored, batch.nowMs, row.owner !== null || definition === undefined);
      if (transition === undefined) {
        return { ok: false, reason: "WRONG_STATUS", status: stored.status };
      }
      const { record, hooks } = transition;
      if (record === stored) {
        return { ok: true };
      }
      const place =
        definition === undefined
          ? { taken: false, columns: { due_at: batch.nowMs } }
          : placing(record, batch.nowMs, row.epoch);
      const { taken, columns } = row.owner === null ? place : { taken: false, columns: {} };
      const written: SagaRow = {
        ...row,
        ...{ status: record.status, step: currentStep(record).name, data: encodeRecord(record) },
        ...{ revision: row.revision + 1, updated_at: batch.nowMs, ...columns },
      };
      batch.update(sagaRows, written);
      const saga = viewOf(claimedOf(written, written.epoch), record, batch.nowMs);
      for (const hook of hooks) {
        definition?.hooks?.[hook]?.(batch, saga);
      }
      afterwards(batch, taken, written);
      return { ok: true };
    },
  };
}

/** The record with the trace in which the saga is started. */
function withActiveTrace(record: SagaRecord): SagaRecord {
  const trace = traceFields();
  return "traceparent" in trace ? { ...record, trace } : record;
}

export function createBatchSagas(runner: () => LocalRunner, { start, apply }: BatchSagaWriter): BatchSagas {
  const find = (batch: Batch, { tenant, aggregate, id }: SagaKey): SagaRow | undefined =>
    batch.list(sagaRows, "aggregate", [tenant, aggregate]).find((row) => row.id === id);
  const run = (batch: Batch, saga: SagaKey, commandFor: CommandFor) => apply(batch, find(batch, saga), commandFor);
  return {
    keys(need, aggregate) {
      need.all(sagaRows, "aggregate", [aggregate.tenant, aggregate.aggregate]);
      nameHookRows(runner().definitions, need, aggregate);
    },
    start,
    get(batch, saga) {
      const row = find(batch, saga);
      return row && viewOf(claimedOf(row, row.epoch), decodeRecord(row), row.updated_at);
    },
    signal: (batch, saga, name, payload, id = name) => run(batch, saga, () => signalCommand(name, id, payload)).ok,
    compensate: (batch, saga, reason, message = reason) => run(batch, saga, () => compensateCommand(reason, message)),
    retry: (batch, saga, options) => run(batch, saga, retryFor(runner, options)),
    pause: (batch, saga) => run(batch, saga, () => pauseCommand),
    resume: (batch, saga) => run(batch, saga, () => resumeCommand),
  };
}

/** Names the rows that the hooks of all definitions need for an aggregate. */
export function nameHookRows({ all }: Definitions, need: KeySet, aggregate: SagaAggregate): void {
  for (const { hooks } of all) {
    hooks?.keys?.(need, aggregate);
  }
}

/** The command that retries a saga. Throws if the process does not know its definition. */
export function retryFor(runner: () => LocalRunner, { fromStep }: { readonly fromStep?: string } = {}): CommandFor {
  return (row) => {
    const definition = runner().definitions.find(row);
    if (definition === undefined) {
      throw new RangeError(`this process does not know the saga ${row.definition} version ${row.version}`);
    }
    return retryCommand(definition, fromStep);
  };
}
