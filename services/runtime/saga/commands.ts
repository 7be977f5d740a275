import { currentStep, type SagaRecord, type SagaShape, type Transition, withStep } from "./record.ts";
import type { SagaStatus } from "./saga.ts";
import { enter, rest, then, turn } from "./transitions.ts";

/**
 * Commands to a saga from operators and services. Each is a pure function of the record and of whether a runner is
 * executing the saga (`owned`); in that case it only records a request, which the runner's next checkpoint applies.
 * Undefined means that the command is not possible in this status; the same record, that it has no effect.
 */
export type SagaCommand = (record: SagaRecord, now: number, owned: boolean) => Transition | undefined;

/** Outcome of a command: done, or not possible in the saga's status. */
export type CommandResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: "NOT_FOUND" }
  | { readonly ok: false; readonly reason: "WRONG_STATUS"; readonly status: SagaStatus };

const unchanged = (record: SagaRecord): Transition => ({ record, hooks: [] });

/** Stores a signal, once per name and id, and makes the saga due if it waits for the signal. */
export function signalCommand(name: string, id: string, payload: unknown): SagaCommand {
  return (record, now) => {
    if (record.signals.some((signal) => signal.name === name && signal.id === id)) {
      return unchanged(record);
    }
    const signalled = { ...record, signals: [...record.signals, { name, id, payload, takenAt: null }] };
    return unchanged(record.status === "WAITING" ? rest(signalled, now) : signalled);
  };
}

/** Compensates the saga, from any status. */
export function compensateCommand(reason: string, message: string): SagaCommand {
  return (record, now, owned) => {
    const standing = record.interrupted ?? record.status;
    if (standing === "COMPENSATING") {
      return resumeUndoing(record, now);
    }
    if (standing === "COMPENSATED") {
      return unchanged(record);
    }
    const failure = { reason, message, step: currentStep(record).name };
    if (owned) {
      return unchanged({ ...record, requested: { ...record.requested, compensate: failure } });
    }
    return turn({ ...record, requested: { compensate: null, pause: false } }, failure, record.at, now);
  };
}

/** Pauses the saga after its current step. */
export const pauseCommand: SagaCommand = (record, _now, owned) => {
  switch (record.status) {
    case "PAUSED":
      return unchanged(record);
    case "RUNNING":
    case "WAITING":
    case "COMPENSATING":
      return unchanged(
        owned
          ? { ...record, requested: { ...record.requested, pause: true } }
          : { ...record, status: "PAUSED", interrupted: record.status, dueAt: null },
      );
    default:
      return undefined;
  }
};

/** Resumes a paused saga, or withdraws the request to pause it. */
export const resumeCommand: SagaCommand = (record, now) => {
  if (record.requested.pause) {
    return unchanged({ ...record, requested: { ...record.requested, pause: false } });
  }
  return record.status === "PAUSED" ? resumeInterrupted(record, now) : undefined;
};

/**
 * Retries a saga in NEEDS_ATTENTION in its direction, or forward from a step at or before the failed one; restarts a
 * COMPENSATED one.
 */
export function retryCommand(definition: SagaShape, fromStep?: string): SagaCommand {
  return (record, now) => {
    const at = fromStep === undefined ? record.at : record.steps.findIndex(({ name }) => name === fromStep);
    if (record.status === "COMPENSATED" && (fromStep === undefined || at === 0)) {
      return restart(definition, record, now);
    }
    if (record.status !== "NEEDS_ATTENTION" || at < 0 || at > record.at) {
      return undefined;
    }
    if (record.interrupted === "COMPENSATING") {
      return fromStep === undefined ? then(resumeInterrupted(record, now), retried) : undefined;
    }
    return then(
      fromStep === undefined ? resumeInterrupted(record, now) : rerunFrom(definition, record, at, now),
      retried,
    );
  };
}

const retried = (record: SagaRecord): Transition => ({ record, hooks: ["onRetried"] });

/** A saga that was already compensating resumes where it stopped. */
function resumeUndoing(record: SagaRecord, now: number): Transition {
  switch (record.status) {
    case "NEEDS_ATTENTION":
      return then(resumeInterrupted(record, now), retried);
    case "PAUSED":
      return resumeInterrupted(record, now);
    default:
      return unchanged(record);
  }
}

/** Returns from PAUSED or NEEDS_ATTENTION to the interrupted status, with the current step's attempts reset. */
function resumeInterrupted(record: SagaRecord, now: number): Transition {
  const base: SagaRecord = { ...record, attention: null, interrupted: null, dueAt: now };
  switch (record.interrupted) {
    case "COMPENSATING":
      return unchanged(withStep({ ...base, status: "COMPENSATING" }, { attempts: 0 }));
    case "WAITING":
      return unchanged(rest(base, now));
    default:
      return unchanged(withStep({ ...base, status: "RUNNING" }, { attempts: 0, status: "BEGUN", endedAt: null }));
  }
}

/** Reruns from an earlier step, with the same idempotency keys, so that effects are not repeated. */
function rerunFrom(definition: SagaShape, record: SagaRecord, at: number, now: number): Transition {
  const steps = record.steps.map((step, index) =>
    index < at ? step : ({ ...step, status: "PENDING", attempts: 0, beganAt: null, endedAt: null } as const),
  );
  const signals = record.signals.map((signal) => ((signal.takenAt ?? -1) < at ? signal : { ...signal, takenAt: null }));
  const entered = enter(definition, { ...record, steps, signals }, at, now);
  return at === record.at ? then(entered, (moved) => unchanged({ ...moved, uncertain: true })) : entered;
}

/**
 * Restarts a compensated saga from its first step, with new idempotency keys, because the old ones refer to effects
 * that were undone. Consumed signals stay consumed.
 */
function restart(definition: SagaShape, record: SagaRecord, now: number): Transition {
  const deadlineAt = definition.deadlineMs === undefined ? null : now + definition.deadlineMs;
  const steps = record.steps.map(
    (step) => ({ ...step, status: "PENDING", attempts: 0, beganAt: null, endedAt: null }) as const,
  );
  const { reach: _, ...known } = record;
  const fresh = { ...known, at: 0, steps, round: record.round + 1, failure: null, deadlineAt };
  return then(enter(definition, fresh, 0, now), retried);
}
