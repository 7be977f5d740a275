import {
  currentStep,
  type Hook,
  type SagaRecord,
  type SagaShape,
  type StepShape,
  type Transition,
  withStep,
} from "./record.ts";
import type { SagaFailure } from "./saga.ts";

/** Building blocks of transitions. Each returns a complete record. */

const clearedStep = { waiting: null, wake: null, uncertain: false, interrupted: null, attention: null } as const;

/** A saga at its first step. */
export function begin(definition: SagaShape, state: unknown, now: number): SagaRecord {
  const blank: SagaRecord = {
    ...clearedStep,
    status: "RUNNING",
    at: 0,
    steps: definition.steps.map(({ name, compensate }) => ({
      name,
      undoable: compensate !== undefined,
      status: "PENDING",
      attempts: 0,
      beganAt: null,
      endedAt: null,
      errors: [],
    })),
    state,
    signals: [],
    round: 0,
    dueAt: now,
    deadlineAt: definition.deadlineMs === undefined ? null : now + definition.deadlineMs,
    failure: null,
    requested: { compensate: null, pause: false },
  };
  return enter(definition, blank, 0, now).record;
}

/** Moves forward to a step, which then counts as begun; past the last step the saga has succeeded. */
export function enter(definition: SagaShape, record: SagaRecord, at: number, now: number): Transition {
  const step = definition.steps[at];
  if (step === undefined) {
    return {
      record: { ...record, ...clearedStep, status: "SUCCEEDED", dueAt: null, deadlineAt: null },
      hooks: ["onSucceeded"],
    };
  }
  const moved = { ...record, ...clearedStep, at };
  const began = { attempts: 0, beganAt: now, endedAt: null };
  if (step.waitFor === undefined) {
    return { record: withStep({ ...moved, status: "RUNNING", dueAt: now }, { ...began, status: "BEGUN" }), hooks: [] };
  }
  const deadline = step.waitFor.deadline?.(record.state);
  const untilAt = deadline === undefined ? null : "atMs" in deadline ? deadline.atMs : now + deadline.afterMs;
  const waiting = { signals: step.waitFor.signals, untilAt };
  return { record: rest(withStep({ ...moved, waiting }, { ...began, status: "WAITING" }), now), hooks: [] };
}

/** Suspends before the current step; due immediately if its signal has arrived already. */
export function rest(record: SagaRecord, now: number): SagaRecord {
  const untilAt = record.waiting?.untilAt ?? null;
  const resting = withStep({ ...record, status: "WAITING", wake: null, dueAt: untilAt }, { status: "WAITING" });
  return awaitedSignal(resting) === undefined ? resting : { ...resting, dueAt: now };
}

/** The first unconsumed signal that the current step waits for. */
export function awaitedSignal(record: SagaRecord) {
  const names = record.waiting?.signals ?? [];
  return record.signals.find((signal) => signal.takenAt === null && names.includes(signal.name));
}

/**
 * The record of a saga whose last runner was lost: the steps that it may have begun are those of the segment that
 * begins with the current step.
 */
export function afterLostRunner({ steps }: SagaShape, record: SagaRecord): SagaRecord {
  if (record.status !== "RUNNING" && record.status !== "WAITING") {
    return { ...record, uncertain: true };
  }
  let last = record.at;
  while (last + 1 < steps.length && continuesUnstored(steps, last)) {
    last += 1;
  }
  return { ...record, uncertain: true, reach: Math.max(record.reach ?? -1, last) };
}

/** Whether the step after this one may begin before this one is stored. */
export function continuesUnstored(steps: readonly StepShape[], at: number): boolean {
  const next = steps[at + 1];
  return steps[at]?.isolated !== true && next?.isolated !== true && next?.waitFor === undefined;
}

/**
 * Begins compensation of every begun step up to `upTo`, including the current one even if it only waits or its outcome
 * is unknown, and those that a lost runner may have begun.
 */
export function turn(record: SagaRecord, failure: SagaFailure, upTo: number, now: number): Transition {
  const from = Math.max(upTo, record.reach ?? -1);
  const notBegun = from < record.at && currentStep(record).status !== "FAILED";
  const base = notBegun ? withStep(record, { status: "PENDING", beganAt: null }) : record;
  const turned: SagaRecord = {
    ...base,
    failure,
    deadlineAt: null,
    requested: { ...record.requested, compensate: null },
  };
  const { record: undoing, hooks } = undo(turned, from, now);
  return { record: undoing, hooks: ["onCompensating", ...hooks] };
}

/** Moves back to the next step with something to undo; before the first one the saga is COMPENSATED. */
export function undo(record: SagaRecord, from: number, now: number): Transition {
  let at = from;
  let passed: SagaRecord = { ...record, ...clearedStep };
  while (at >= 0 && passed.steps[at]?.undoable === false) {
    passed = withStep(passed, { status: "COMPENSATED" }, at);
    at -= 1;
  }
  if (at < 0) {
    return { record: { ...passed, at: 0, status: "COMPENSATED", dueAt: null }, hooks: ["onCompensated"] };
  }
  return { record: withStep({ ...passed, at, status: "COMPENSATING", dueAt: now }, { attempts: 0 }), hooks: [] };
}

/** Fails permanently and requests an operator's attention. */
export function giveUp(record: SagaRecord, reason: string, message: string): Transition {
  const interrupted = record.status === "COMPENSATING" ? "COMPENSATING" : "RUNNING";
  const attention = { reason, message, step: currentStep(record).name };
  const stopped: SagaRecord = {
    ...record,
    status: "NEEDS_ATTENTION",
    interrupted,
    attention,
    dueAt: null,
    deadlineAt: null,
  };
  return { record: withStep(stopped, { status: "FAILED" }), hooks: ["onNeedsAttention"] };
}

/** Chains two changes. */
export function then(first: Transition, next: (record: SagaRecord) => Transition): Transition {
  const second = next(first.record);
  const hooks: readonly Hook[] = [...first.hooks, ...second.hooks];
  return { record: second.record, hooks };
}
