import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Transaction } from "kysely";
import type { Command } from "../../commands/command.ts";
import type { DatabaseClock } from "../../db/database-clock.ts";
import { inActiveTrace } from "../../outbox/outbox.ts";
import type { Logger } from "../../telemetry/log.ts";
import { causedBy, contextOf, inSpan, type SpanOptions } from "../../telemetry/tracing.ts";
import type { Clock } from "../../values/clock.ts";
import { done, type SagaDefinition, type SagaStep, type StepEffects, type StepOutcome } from "../definition.ts";
import type { Definitions } from "../definition-registry.ts";
import { advance, merge, type StepEvent, settle } from "../machine.ts";
import { currentStep, dueAtOf, type Hook, type SagaRecord, type Transition } from "../record.ts";
import { viewOf } from "../saga-view.ts";
import type { Checkpoint, ClaimedSaga } from "../store/saga-store.ts";
import type { CheckpointOutcome, Committer } from "./committer.ts";
import { runStep } from "./run-step.ts";

export interface WorkerOptions<DB> {
  readonly definitions: Definitions<DB>;
  readonly commit: Committer<DB>;
  readonly clock: Clock;
  readonly databaseClock: Pick<DatabaseClock, "peek">;
  readonly random: () => number;
  readonly log: Logger;
  /** Aborted when running steps must end early. */
  readonly shutdown: AbortSignal;
  /** Whether sagas are to be released instead of continued. */
  readonly draining: () => boolean;
}

/** Executes claimed sagas, step by step. */
export interface Worker {
  /** Runs a claimed saga until it waits, ends, or is claimed by another runner. Never rejects. */
  run(saga: ClaimedSaga): Promise<void>;
  /** Registers a saga that is claimed by this runner and queued. */
  hold(id: string): void;
  /** Ids of the claimed sagas whose lease is at least this old. */
  olderThan(ms: number): readonly string[];
  /** Records that the leases of these sagas were renewed. */
  renewed(ids: readonly string[]): void;
}

const DEFAULT_TIMEOUT_MS = 10_000;
/** Delay of a saga whose change cannot be written, for example because a hook throws. */
const POSTPONE_MS = 5_000;

export function createWorker<DB>(options: WorkerOptions<DB>): Worker {
  const { definitions, commit, clock, databaseClock, random, log, shutdown, draining } = options;
  const leasedAt = new Map<string, number>();

  /** The database's time, but never before the saga's due time. */
  const nowFor = (record: SagaRecord) => {
    const now = databaseClock.peek() ?? clock.now().getTime();
    return Math.max(now, dueAtOf(record) ?? now);
  };

  const checkpoint = async (
    saga: ClaimedSaga,
    definition: SagaDefinition<unknown, DB>,
    mine: SagaRecord,
    change: (record: SagaRecord) => Transition,
    effects: StepEffects<unknown, DB> = {},
  ): Promise<CheckpointOutcome> => {
    const written: Checkpoint<DB> = {
      saga,
      change: (stored) => change(stored === undefined ? mine : merge(mine, stored)),
      // A transaction may be shared with other sagas, so what is written is bound to this one's trace.
      ...(effects.checkpoint === undefined
        ? {}
        : { write: context.bind(context.active(), effects.checkpoint.bind(effects)) }),
      commands: effects.command === undefined ? [] : [inActiveContext(effects.command)],
      events: (effects.events ?? []).map(inActiveTrace),
      keys: (need) => definition.hooks?.keys?.(need, saga),
      hook: context.bind(context.active(), (batch, hook, record) =>
        definition.hooks?.[hook]?.(batch, viewOf(saga, record, nowFor(record))),
      ),
      hookIn: context.bind(context.active(), async (trx: Transaction<DB>, hook: Hook, record: SagaRecord) => {
        await definition[hook]?.(trx, viewOf(saga, record, nowFor(record)));
      }),
      keeps: (record) => {
        const dueAt = dueAtOf(record);
        return dueAt !== null && dueAt <= nowFor(mine) && !draining();
      },
    };
    const outcome = await commit(written);
    leasedAt.set(saga.id, clock.monotonicMs());
    return outcome;
  };

  /** Runs the step and checkpoints the outcome. */
  const perform = async (
    saga: ClaimedSaga,
    definition: SagaDefinition<unknown, DB>,
    step: SagaStep<unknown, DB>,
    mine: SagaRecord,
  ): Promise<CheckpointOutcome> => {
    const event = await runStep((signal) => call(saga, mine, step, signal), {
      timeoutMs: step.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      shutdown,
    });
    if (event.kind === "failed") {
      trace.getActiveSpan()?.setStatus({ code: SpanStatusCode.ERROR, message: event.message });
      log.warn({ ...labels(saga, mine), err: event.message }, "saga step failed");
    }
    const effects = event.kind === "failed" || event.kind === "interrupted" ? {} : event;
    const next = (what: StepEvent) => (record: SagaRecord) => advance(definition, record, what, nowFor(record), random);
    const outcome = await checkpoint(saga, definition, mine, next(event), effects);
    if (outcome.kind !== "failed" || event.kind === "failed") {
      return outcome;
    }
    log.error({ ...labels(saga, mine), err: outcome.error }, "saga step's own writes failed");
    return checkpoint(saga, definition, mine, next({ kind: "failed", message: String(outcome.error) }));
  };

  /** Performs the current step if it is due; otherwise checkpoints what the saga's clock or a command changed. */
  const turn = async (saga: ClaimedSaga, definition: SagaDefinition<unknown, DB>): Promise<CheckpointOutcome> => {
    if (draining()) {
      return checkpoint(saga, definition, saga.record, (record) => unchanged(saga, record));
    }
    const settled = settle(saga.record, nowFor(saga.record), saga.takeovers);
    const { status } = settled.record;
    const step = definition.steps[settled.record.at];
    if (settled.hooks.length > 0 || step === undefined || (status !== "RUNNING" && status !== "COMPENSATING")) {
      return checkpoint(saga, definition, saga.record, (record) => settle(record, nowFor(record), saga.takeovers));
    }
    const span = spanOf(saga, settled.record, nowFor(settled.record));
    return inSpan(`${saga.definition} ${step.name}`, span, () => perform(saga, definition, step, settled.record));
  };

  const work = async (claimed: ClaimedSaga): Promise<void> => {
    const definition = definitions.find(claimed);
    if (definition === undefined) {
      throw new Error(`claimed the saga ${claimed.id} of an unknown definition`);
    }
    for (let saga = claimed; ; ) {
      let outcome = await turn(saga, definition);
      if (outcome.kind === "failed") {
        log.error(
          { ...labels(saga, saga.record), err: outcome.error },
          "saga cannot be changed; it will be tried again later",
        );
        const dueAt = nowFor(saga.record) + POSTPONE_MS;
        outcome = await checkpoint(saga, definition, saga.record, (record) => unchanged(saga, { ...record, dueAt }));
      }
      if (outcome.kind !== "committed") {
        log.warn({ ...labels(saga, saga.record), outcome }, "the saga was left for another worker to claim");
        return;
      }
      if (!outcome.kept) {
        return;
      }
      saga = { ...saga, record: outcome.record, revision: outcome.revision, takeovers: 0 };
    }
  };

  return {
    async run(saga) {
      leasedAt.set(saga.id, clock.monotonicMs());
      const begun = contextOf(saga.record.trace ?? {});
      await context.with(begun, work, undefined, saga).finally(() => leasedAt.delete(saga.id));
    },
    hold: (id) => void leasedAt.set(id, clock.monotonicMs()),
    olderThan(ms) {
      const before = clock.monotonicMs() - ms;
      return [...leasedAt].filter(([, at]) => at <= before).map(([id]) => id);
    },
    renewed(ids) {
      for (const id of ids.filter((each) => leasedAt.has(each))) {
        leasedAt.set(id, clock.monotonicMs());
      }
    },
  };
}

/** A command that decides in the context of its step, so that its events belong to the step's trace. */
const inActiveContext = (command: Command<void>): Command<void> => ({
  keys: (need) => command.keys(need),
  decide: context.bind(context.active(), (batch) => command.decide(batch)),
});

/** Calls the current step or its compensation. */
function call<DB>(
  saga: ClaimedSaga,
  record: SagaRecord,
  step: SagaStep<unknown, DB>,
  signal: AbortSignal,
): Promise<StepOutcome<unknown, DB>> {
  const compensating = record.status === "COMPENSATING";
  const parts = [saga.id, step.name, ...(record.round === 0 ? [] : [record.round]), ...(compensating ? ["undo"] : [])];
  const context = {
    sagaId: saga.id,
    tenant: saga.tenant,
    aggregate: saga.aggregate,
    state: record.state,
    attempt: currentStep(record).attempts + 1,
    idempotencyKey: parts.join("/"),
    signal,
  };
  if (compensating) {
    return step.compensate?.(context) ?? Promise.resolve(done());
  }
  return step.invoke({ ...context, wake: record.wake ?? undefined });
}

/** No change, except that a previous runner may have begun the step. */
const unchanged = ({ takeovers }: ClaimedSaga, record: SagaRecord): Transition => ({
  record: takeovers > 0 ? { ...record, uncertain: true } : record,
  hooks: [],
});

function spanOf(saga: ClaimedSaga, record: SagaRecord, now: number): SpanOptions {
  const { trace: begun = {}, steps } = record;
  const attributes = {
    "docket.saga": saga.id,
    "docket.tenant": saga.tenant,
    "docket.aggregate": saga.aggregate,
    "docket.saga.status": record.status,
    "docket.saga.attempt": currentStep(record).attempts + 1,
  };
  return { attributes, ...causedBy(begun, now - (steps[0]?.beganAt ?? now)) };
}

const labels = (saga: ClaimedSaga, record: SagaRecord) => ({
  saga: saga.id,
  definition: saga.definition,
  status: record.status,
  step: record.steps[record.at]?.name,
});
