import { currentStep, type SagaRecord, type SagaShape, type Transition, withStep } from "./record.ts";
import { enter, rest, then, turn } from "./transitions.ts";

/**
 * What people and services ask of a saga. Each is a pure function of the record and whether a runner is at work on it
 * (`owned`); then it only leaves a request, which that runner's next checkpoint heeds. Undefined means that the saga
 * stands where this is not possible; the same record, that there is nothing to do.
 */
export type Command = (record: SagaRecord, now: number, owned: boolean) => Transition | undefined;

const unchanged = (record: SagaRecord): Transition => ({ record, hooks: [] });

/** Keeps a signal, once per name and id, and makes the saga due where it waits for it. */
export function signalCommand(name: string, id: string, payload: unknown): Command {
  return (record, now) => {
    if (record.signals.some((signal) => signal.name === name && signal.id === id)) {
      return unchanged(record);
    }
    const told = { ...record, signals: [...record.signals, { name, id, payload, takenAt: null }] };
    return unchanged(record.status === "WAITING" ? rest(told, now) : told);
  };
}

/** Undoes the saga, from wherever it stands. */
export function compensateCommand(reason: string, message: string): Command {
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

/** Stops the saga after the step that runs now. */
export const pauseCommand: Command = (record, _now, owned) => {
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

/** Lets a paused saga go on, or takes back the request to pause it. */
export const resumeCommand: Command = (record, now) => {
  if (record.requested.pause) {
    return unchanged({ ...record, requested: { ...record.requested, pause: false } });
  }
  return record.status === "PAUSED" ? goOn(record, now) : undefined;
};

/**
 * Lets a saga that NEEDS_ATTENTION go on in its direction, or forward from a step at or before the one that failed;
 * or begins a COMPENSATED one anew.
 */
export function retryCommand(definition: SagaShape, fromStep?: string): Command {
  return (record, now) => {
    const at = fromStep === undefined ? record.at : record.steps.findIndex(({ name }) => name === fromStep);
    if (record.status === "COMPENSATED" && (fromStep === undefined || at === 0)) {
      return anew(definition, record, now);
    }
    if (record.status !== "NEEDS_ATTENTION" || at < 0 || at > record.at) {
      return undefined;
    }
    if (record.interrupted === "COMPENSATING") {
      return fromStep === undefined ? then(goOn(record, now), retried) : undefined;
    }
    return then(fromStep === undefined ? goOn(record, now) : again(definition, record, at, now), retried);
  };
}

const retried = (record: SagaRecord): Transition => ({ record, hooks: ["onRetried"] });

/** A saga that is being undone already goes on with it where it was stopped. */
function resumeUndoing(record: SagaRecord, now: number): Transition {
  switch (record.status) {
    case "NEEDS_ATTENTION":
      return then(goOn(record, now), retried);
    case "PAUSED":
      return goOn(record, now);
    default:
      return unchanged(record);
  }
}

/** From PAUSED or NEEDS_ATTENTION back to what it did, the current step's attempts counted from nothing. */
function goOn(record: SagaRecord, now: number): Transition {
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

/** Forward from an earlier step, with the same idempotency keys: what had its effect has it once. */
function again(definition: SagaShape, record: SagaRecord, at: number, now: number): Transition {
  const steps = record.steps.map((step, index) =>
    index < at ? step : ({ ...step, status: "PENDING", attempts: 0, beganAt: null, endedAt: null } as const),
  );
  const signals = record.signals.map((signal) => ((signal.takenAt ?? -1) < at ? signal : { ...signal, takenAt: null }));
  const entered = enter(definition, { ...record, steps, signals }, at, now);
  return at === record.at ? then(entered, (moved) => unchanged({ ...moved, uncertain: true })) : entered;
}

/**
 * A compensated saga from its first step, with new idempotency keys: the old ones stand for effects that were undone.
 * ChangeNotifier that were taken stay taken.
 */
function anew(definition: SagaShape, record: SagaRecord, now: number): Transition {
  const deadlineAt = definition.deadlineMs === undefined ? null : now + definition.deadlineMs;
  const steps = record.steps.map(
    (step) => ({ ...step, status: "PENDING", attempts: 0, beganAt: null, endedAt: null }) as const,
  );
  const fresh = { ...record, at: 0, steps, round: record.round + 1, failure: null, deadlineAt };
  return then(enter(definition, fresh, 0, now), retried);
}
