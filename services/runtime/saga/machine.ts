import { type Backoff, fullJitterMs } from "../values/backoff.ts";
import type { RetryPolicy } from "./definition.ts";
import { currentStep, type SagaRecord, type SagaShape, type Transition, withError, withStep } from "./record.ts";
import { afterLostRunner, awaitedSignal, enter, giveUp, rest, then, turn, undo } from "./transitions.ts";

/*
 *                  signal, deadline
 *        WAITING ───────────────────▶ RUNNING ──last step done──▶ SUCCEEDED
 *           ▲                         │  │  │                         │
 *           └──── next step waits ────┘  │  └──attempts exhausted──┐  │
 *                                        │                         ▼  │
 *      refused, deadline, exhausted,     │              NEEDS_ATTENTION
 *      compensate ───────────────────────┤                 ▲  │  retry, compensate
 *                                        ▼     exhausted   │  ▼
 *        compensate from anywhere ──▶ COMPENSATING ────────┘ (back to where it was)
 *                                        │
 *                                        └──first step undone──▶ COMPENSATED ──retry──▶ RUNNING (a new round)
 *
 *      RUNNING, WAITING, COMPENSATING ◀──resume── PAUSED ◀──pause── (the same three)
 */

/** Outcome of the current step or compensation. */
export type StepEvent =
  | { readonly kind: "done"; readonly state?: unknown }
  | { readonly kind: "refused"; readonly reason: string; readonly message: string; readonly state?: unknown }
  | { readonly kind: "keep-waiting"; readonly state?: unknown }
  | { readonly kind: "later"; readonly afterMs: number; readonly state?: unknown }
  | NoAnswer;

/** An attempt with an unknown outcome. */
export type NoAnswer =
  /** It threw or timed out, so it may or may not have had its effect. */
  | { readonly kind: "failed"; readonly message: string }
  /** Shutdown: like `failed`, but not counted as an attempt. */
  | { readonly kind: "interrupted" };

/** Number of runners that may crash at one step before the saga needs attention: the step may be what crashes them. */
export const MAX_TAKEOVERS = 20;

const FORWARD_RETRY = { maxAttempts: 8, initialMs: 100, maxMs: 30_000 } satisfies Required<RetryPolicy>;
const BACKWARD_RETRY = { maxAttempts: 20, initialMs: 100, maxMs: 30_000 } satisfies Required<RetryPolicy>;

/**
 * Prepares a claimed saga: applies requests recorded meanwhile, a deadline that passed, and a signal that arrived.
 * Afterwards the current step must be run if the saga is RUNNING or COMPENSATING and due.
 */
export function settle(definition: SagaShape, record: SagaRecord, now: number, takeovers = 0): Transition {
  const heeded = heed(takeovers === 0 ? record : afterLostRunner(definition, record), now);
  if (heeded.record.status !== record.status) {
    return heeded;
  }
  return then(heeded, (same) => {
    const up = same.status === "WAITING" ? wakeUp(same, now) : same;
    const works = up.status === "RUNNING" || up.status === "COMPENSATING";
    return works && takeovers >= MAX_TAKEOVERS
      ? giveUp(up, "WORKER_DIED", `${takeovers} runners were lost at this step`)
      : { record: up, hooks: [] };
  });
}

/** Applies the outcome of the current step to a running or compensating saga. `random` draws the jitter of a delay. */
export function advance(
  definition: SagaShape,
  record: SagaRecord,
  event: StepEvent,
  now: number,
  random: () => number,
): Transition {
  if (record.status !== "RUNNING" && record.status !== "COMPENSATING") {
    return { record, hooks: [] };
  }
  const updated = "state" in event && event.state !== undefined ? { ...record, state: event.state } : record;
  const move = record.status === "COMPENSATING" ? backward : forward;
  // A step just reached has not begun, so compensating now skips it.
  return then(move(definition, updated, event, now, random), (moved) =>
    heed(moved, now, Math.min(moved.at, record.at)),
  );
}

/**
 * Merges a runner's record with the stored one if commands and signals changed it meanwhile. These only ever add
 * signals and requests to a saga that has an owner.
 */
export function merge(mine: SagaRecord, stored: SagaRecord): SagaRecord {
  const taken = new Map(mine.signals.map((signal) => [`${signal.name}\0${signal.id}`, signal]));
  const signals = stored.signals.map((signal) => taken.get(`${signal.name}\0${signal.id}`) ?? signal);
  return { ...mine, signals, requested: stored.requested };
}

function forward(
  definition: SagaShape,
  record: SagaRecord,
  event: StepEvent,
  now: number,
  random: () => number,
): Transition {
  const step = currentStep(record);
  const attempts = step.attempts + 1;
  switch (event.kind) {
    case "done":
      return enter(definition, withStep(record, { status: "DONE", attempts, endedAt: now }), record.at + 1, now);
    case "refused": {
      const errors = withError(record, `${event.reason}: ${event.message}`, now);
      const failed = withStep(record, { status: "FAILED", attempts, endedAt: now, errors });
      const failure = { reason: event.reason, message: event.message, step: step.name };
      return turn(failed, failure, record.uncertain ? record.at : record.at - 1, now);
    }
    case "keep-waiting":
      if (record.waiting === null) {
        return failed(
          definition,
          record,
          `${step.name} does not wait for anything, so it cannot keep waiting`,
          now,
          random,
        );
      }
      return { record: rest(withoutPastDeadline(record), now), hooks: [] };
    case "later":
      return { record: { ...record, dueAt: now + event.afterMs }, hooks: [] };
    case "interrupted":
      return { record: { ...record, uncertain: true, dueAt: now }, hooks: [] };
    case "failed":
      return failed(definition, record, event.message, now, random);
    default:
      return event satisfies never;
  }
}

function backward(
  definition: SagaShape,
  record: SagaRecord,
  event: StepEvent,
  now: number,
  random: () => number,
): Transition {
  switch (event.kind) {
    case "done": {
      const attempts = currentStep(record).attempts + 1;
      return undo(withStep(record, { status: "COMPENSATED", attempts, endedAt: now }), record.at - 1, now);
    }
    case "later":
      return { record: { ...record, dueAt: now + event.afterMs }, hooks: [] };
    case "interrupted":
      return { record: { ...record, uncertain: true, dueAt: now }, hooks: [] };
    case "failed":
      return failed(definition, record, event.message, now, random);
    case "refused":
    case "keep-waiting":
      return failed(definition, record, `a compensation cannot be ${event.kind}`, now, random);
    default:
      return event satisfies never;
  }
}

/** Counts a failed attempt: retry after a delay, or the end of attempts. */
function failed(
  definition: SagaShape,
  record: SagaRecord,
  message: string,
  now: number,
  random: () => number,
): Transition {
  const compensating = record.status === "COMPENSATING";
  const step = definition.steps[record.at];
  const policy = compensating
    ? { ...BACKWARD_RETRY, ...step?.compensationRetry }
    : { ...FORWARD_RETRY, ...step?.retry };
  const attempts = currentStep(record).attempts + 1;
  const tried = withStep({ ...record, uncertain: true }, { attempts, errors: withError(record, message, now) });
  if (attempts < policy.maxAttempts) {
    return { record: { ...tried, dueAt: now + pause(attempts, policy, random) }, hooks: [] };
  }
  if (compensating) {
    return giveUp(tried, "COMPENSATION_FAILED", message);
  }
  if (step?.whenExhausted === "needs-attention") {
    return giveUp(tried, "ATTEMPTS_EXHAUSTED", message);
  }
  return turn(tried, { reason: "ATTEMPTS_EXHAUSTED", message, step: currentStep(record).name }, record.at, now);
}

const pause = (failures: number, backoff: Backoff, random: () => number) =>
  Math.max(1, Math.round(fullJitterMs(failures, backoff, random)));

/** Applies the requests recorded while a runner was executing the saga, and the saga's deadline. */
function heed(record: SagaRecord, now: number, from = record.at): Transition {
  const { compensate, pause: toPause } = record.requested;
  const goes = record.status === "RUNNING" || record.status === "WAITING";
  if (compensate !== null && (goes || record.status === "SUCCEEDED" || record.status === "NEEDS_ATTENTION")) {
    if (record.status === "NEEDS_ATTENTION" && record.interrupted === "COMPENSATING") {
      return { record: { ...record, requested: nothing }, hooks: [] };
    }
    const unpaused = { ...record, requested: nothing };
    return turn(unpaused, { ...compensate, step: currentStep(record).name }, from, now);
  }
  if (goes && record.deadlineAt !== null && record.deadlineAt <= now) {
    const failure = { reason: "DEADLINE_EXCEEDED", message: "the saga took too long", step: currentStep(record).name };
    return turn(record, failure, from, now);
  }
  if (toPause && (goes || record.status === "COMPENSATING")) {
    return {
      record: { ...record, status: "PAUSED", interrupted: interruptible(record), requested: nothing, dueAt: null },
      hooks: [],
    };
  }
  if (compensate !== null || toPause) {
    return { record: { ...record, requested: nothing }, hooks: [] };
  }
  return { record, hooks: [] };
}

const nothing = { compensate: null, pause: false } as const;
const interruptible = ({ status }: SagaRecord) =>
  status === "WAITING" || status === "COMPENSATING" ? status : "RUNNING";

/** A step that continues to wait after its deadline waits for signals only. */
function withoutPastDeadline(record: SagaRecord): SagaRecord {
  return record.wake?.kind === "deadline"
    ? { ...record, waiting: { signals: record.waiting?.signals ?? [], untilAt: null } }
    : record;
}

/** Runs the current step if its wait has ended. */
function wakeUp(record: SagaRecord, now: number): SagaRecord {
  const signal = awaitedSignal(record);
  const woken = withStep({ ...record, status: "RUNNING", dueAt: now }, { status: "BEGUN" });
  if (signal !== undefined) {
    const signals = record.signals.map((stored) => (stored === signal ? { ...stored, takenAt: record.at } : stored));
    return { ...woken, signals, wake: { kind: "signal", name: signal.name, payload: signal.payload } };
  }
  const untilAt = record.waiting?.untilAt ?? null;
  return untilAt !== null && untilAt <= now ? { ...woken, wake: { kind: "deadline" } } : { ...record, dueAt: untilAt };
}
