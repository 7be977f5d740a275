import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { histogram } from "../../../../gateway/telemetry/metric-spec.ts";
import type { DatabaseClock } from "../../db/database-clock.ts";
import { inActiveTrace } from "../../outbox/outbox.ts";
import type { Logger } from "../../telemetry/log.ts";
import { meter, runtimeMetrics } from "../../telemetry/metrics.ts";
import { causedBy, contextOf, inSpan, type SpanOptions } from "../../telemetry/tracing.ts";
import type { Clock } from "../../values/clock.ts";
import { done, type SagaDefinition, type SagaStep, type StepEffects, type StepOutcome } from "../definition.ts";
import type { Definitions } from "../definition-registry.ts";
import { advance, merge, type StepEvent, settle } from "../machine.ts";
import { currentStep, dueAtOf, type SagaRecord, type SagaShape, type Transition } from "../record.ts";
import { viewOf } from "../saga-view.ts";
import type { ClaimedSaga } from "../store/saga-store.ts";
import { afterLostRunner } from "../transitions.ts";
import type { CheckpointOutcome, Committer } from "./committer.ts";
import { runStep } from "./run-step.ts";
import { mayContinueUnstored, type Segment, segmentFrom, withEffects } from "./segment.ts";

export interface WorkerOptions {
  readonly definitions: Definitions;
  readonly commit: Committer;
  readonly clock: Clock;
  readonly databaseClock: Pick<DatabaseClock, "peek">;
  readonly random: () => number;
  readonly log: Logger;
  /** Aborted when running steps must end early. */
  readonly shutdown: AbortSignal;
  /** How long steps may go on before they are stored. */
  readonly segmentMs: number;
  /** Whether sagas are to be released instead of continued. */
  readonly draining: () => boolean;
}

/** Executes claimed sagas, step by step. */
export interface Worker {
  /** Runs a claimed saga until it waits, ends, or is claimed by another runner. Never rejects. */
  run(saga: ClaimedSaga): Promise<void>;
  /** Stores the saga after its current step, to apply a request that a command of this process has recorded. */
  interrupt(id: string): void;
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

interface Claim {
  /** As last stored. */
  readonly saga: ClaimedSaga;
  readonly definition: SagaDefinition<unknown>;
  /** Whether several steps could not be stored together. */
  readonly storesEachStep: boolean;
}

/** Result of a turn: the segment goes on, or was stored. */
type Turn = { readonly segment: Segment } | { readonly outcome: CheckpointOutcome };

export function createWorker(options: WorkerOptions): Worker {
  const { definitions, commit, clock, databaseClock, random, log, shutdown, segmentMs, draining } = options;
  const leasedAt = new Map<string, number>();
  const durations = histogram(meter(), runtimeMetrics.sagaStepDuration);
  /** Sagas with a request that their next checkpoint applies. */
  const requested = new Set<string>();

  /** The database's time, but never before the saga's due time. */
  const nowFor = (record: SagaRecord) => {
    const now = databaseClock.peek() ?? clock.now().getTime();
    return Math.max(now, dueAtOf(record) ?? now);
  };

  /** Stores a segment's effects together with a change of its record, which begins the next segment. */
  const store = async (
    { saga, definition }: Claim,
    { record: mine, commands, events }: Segment,
    change: (record: SagaRecord) => Transition,
  ): Promise<CheckpointOutcome> => {
    const active = context.active();
    requested.delete(saga.id);
    const outcome = await commit({
      saga,
      change: (stored) => change(stored === undefined ? mine : merge(mine, stored)),
      commands,
      events,
      keys: (need) => definition.hooks?.keys?.(need, saga),
      // A batch is shared with other sagas, so what is published is bound to this one's trace.
      hook: context.bind(active, (batch, hook, record) =>
        definition.hooks?.[hook]?.(batch, viewOf(saga, record, nowFor(record))),
      ),
      keeps: (record) => {
        const dueAt = dueAtOf(record);
        return dueAt !== null && dueAt <= nowFor(mine) && !draining();
      },
    });
    leasedAt.set(saga.id, clock.monotonicMs());
    return outcome;
  };

  /** Runs the step. Continues the segment with it, or stores it. */
  const perform = async (claim: Claim, segment: Segment, step: SagaStep<unknown>): Promise<Turn> => {
    const { saga, definition } = claim;
    const before = segment.record;
    const beginMs = clock.monotonicMs();
    const event = await runStep((signal) => call(saga, before, step, signal), {
      timeoutMs: step.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      shutdown,
    });
    const measured = { saga: saga.definition, step: step.name, outcome: event.kind };
    durations.record((clock.monotonicMs() - beginMs) / 1000, measured);
    if (event.kind === "failed") {
      trace.getActiveSpan()?.setStatus({ code: SpanStatusCode.ERROR, message: event.message });
      log.warn({ ...labels(saga, before), err: event.message }, "saga step failed");
    }
    const effects = event.kind === "failed" || event.kind === "interrupted" ? {} : inActiveContext(event);
    const next = (what: StepEvent) => (record: SagaRecord) => advance(definition, record, what, nowFor(record), random);
    const done = withEffects(segment, before, effects);
    const moved = next(event)(before);
    const ageMs = clock.monotonicMs() - segment.storedMs;
    const mustStore = claim.storesEachStep || draining() || requested.has(saga.id) || ageMs >= segmentMs;
    if (!mustStore && mayContinueUnstored(definition, before, event, moved, nowFor(before))) {
      return { segment: { ...done, record: moved.record } };
    }
    const outcome = await store(claim, done, next(event));
    if (outcome.kind !== "failed" || event.kind === "failed" || !segment.isEmpty) {
      return { outcome };
    }
    log.error({ ...labels(saga, before), err: outcome.error }, "saga step's own writes failed");
    return { outcome: await store(claim, segment, next({ kind: "failed", message: String(outcome.error) })) };
  };

  /** Performs the current step if it is due; otherwise stores what the saga's clock or a command changed. */
  const turn = async (claim: Claim, segment: Segment): Promise<Turn> => {
    const { saga, definition } = claim;
    const takeovers = segment.isEmpty ? saga.takeovers : 0;
    if (draining()) {
      return { outcome: await store(claim, segment, (record) => unchanged(definition, record, takeovers)) };
    }
    const settled = settle(definition, segment.record, nowFor(segment.record), takeovers);
    const { status } = settled.record;
    const step = definition.steps[settled.record.at];
    if (settled.hooks.length > 0 || step === undefined || (status !== "RUNNING" && status !== "COMPENSATING")) {
      const outcome = await store(claim, segment, (record) => settle(definition, record, nowFor(record), takeovers));
      return { outcome };
    }
    const span = spanOf(saga, settled.record, nowFor(settled.record));
    return inSpan(`${saga.definition} ${step.name}`, span, () =>
      perform(claim, { ...segment, record: settled.record }, step),
    );
  };

  const work = async (claimed: ClaimedSaga): Promise<void> => {
    const definition = definitions.find(claimed);
    if (definition === undefined) {
      throw new Error(`claimed the saga ${claimed.id} of an unknown definition`);
    }
    let claim: Claim = { saga: claimed, definition, storesEachStep: false };
    let segment = segmentFrom(claimed.record, clock.monotonicMs());
    for (;;) {
      const { saga } = claim;
      const turned = await turn(claim, segment);
      if ("segment" in turned) {
        segment = turned.segment;
        continue;
      }
      let { outcome } = turned;
      if (outcome.kind === "failed" && !segment.isEmpty) {
        log.error(
          { ...labels(saga, segment.record), err: outcome.error },
          "the steps of a saga cannot be stored together; they will be repeated one by one",
        );
        claim = { ...claim, storesEachStep: true };
        segment = segmentFrom(afterLostRunner(definition, saga.record), clock.monotonicMs());
        continue;
      }
      if (outcome.kind === "failed") {
        log.error(
          { ...labels(saga, saga.record), err: outcome.error },
          "saga cannot be changed; it will be tried again later",
        );
        const dueAt = nowFor(saga.record) + POSTPONE_MS;
        outcome = await store(claim, segmentFrom(segment.record, 0), (record) =>
          unchanged(definition, { ...record, dueAt }, saga.takeovers),
        );
      }
      if (outcome.kind !== "committed") {
        log.warn({ ...labels(saga, saga.record), outcome }, "the saga was left for another worker to claim");
        return;
      }
      if (!outcome.kept) {
        return;
      }
      const { record, revision } = outcome;
      claim = { ...claim, saga: { ...saga, record, revision, takeovers: 0 } };
      segment = segmentFrom(record, clock.monotonicMs());
    }
  };

  return {
    async run(saga) {
      leasedAt.set(saga.id, clock.monotonicMs());
      const begun = contextOf(saga.record.trace ?? {});
      await context.with(begun, work, undefined, saga).finally(() => {
        leasedAt.delete(saga.id);
        requested.delete(saga.id);
      });
    },
    interrupt(id) {
      if (leasedAt.has(id)) {
        requested.add(id);
      }
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

/** The effects bound to the context of their step, so that what they publish belongs to its trace. */
function inActiveContext({ command, events = [] }: StepEffects<unknown>): StepEffects<unknown> {
  const active = context.active();
  return {
    ...(command && {
      command: {
        keys: (need) => command.keys(need),
        decide: context.bind(active, (batch) => command.decide(batch)),
      },
    }),
    events: events.map(inActiveTrace),
  };
}

/** Calls the current step or its compensation. */
function call(
  saga: ClaimedSaga,
  record: SagaRecord,
  step: SagaStep<unknown>,
  signal: AbortSignal,
): Promise<StepOutcome<unknown>> {
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

/** No change, except that a previous runner may have begun steps. */
const unchanged = (definition: SagaShape, record: SagaRecord, takeovers: number): Transition => ({
  record: takeovers > 0 ? afterLostRunner(definition, record) : record,
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
