import { currentStep, type Hook, type SagaRecord, type SagaShape, type Transition, withStep } from "./record.ts";
import type { SagaFailure } from "./saga.ts";

/** The moves that transitions are made of. Each leaves a record that is complete in itself. */

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

/** Goes forward to a step, which from here on counts as begun; past the last one the saga has succeeded. */
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

/** Rests before the current step, which waits; due at once when what it waits for is there already. */
export function rest(record: SagaRecord, now: number): SagaRecord {
  const untilAt = record.waiting?.untilAt ?? null;
  const resting = withStep({ ...record, status: "WAITING", wake: null, dueAt: untilAt }, { status: "WAITING" });
  return awaitedSignal(resting) === undefined ? resting : { ...resting, dueAt: now };
}

/** The first signal that the current step waits for and nobody has taken. */
export function awaitedSignal(record: SagaRecord) {
  const names = record.waiting?.signals ?? [];
  return record.signals.find((signal) => signal.takenAt === null && names.includes(signal.name));
}

/**
 * Turns round: every step that was begun, up to `from`, is to be undone. The current step is among them also when it
 * only waits or when its outcome is not known.
 */
export function turn(record: SagaRecord, failure: SagaFailure, from: number, now: number): Transition {
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

/** Goes back to the next step that has something to undo; before the first one all is undone. */
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

/** Stops for a person to look. */
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

/** One change after another. */
export function then(first: Transition, next: (record: SagaRecord) => Transition): Transition {
  const second = next(first.record);
  const hooks: readonly Hook[] = [...first.hooks, ...second.hooks];
  return { record: second.record, hooks };
}
