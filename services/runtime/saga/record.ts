import type { TraceFields } from "../telemetry/tracing.ts";
import type { SagaStep, Wake } from "./definition.ts";
import type { SagaFailure, SagaStatus, SagaStepError, SagaStepStatus } from "./saga.ts";

/**
 * The mutable part of a saga: the value on which the pure functions of `machine.ts` and `commands.ts` operate. It
 * contains enough of the definition to be compensated or displayed by a process without it.
 */
export interface SagaRecord {
  readonly status: SagaStatus;
  /** Index of the step that runs, waits or failed; the last one if all are done. */
  readonly at: number;
  readonly steps: readonly StepRecord[];
  readonly state: unknown;
  /** In order of arrival. */
  readonly signals: readonly StoredSignal[];
  /** Incremented when a compensated saga restarts: part of the idempotency keys. */
  readonly round: number;
  /** When the saga is next due without a signal; null if nothing is planned. */
  readonly dueAt: number | null;
  /** Deadline of the saga's forward direction. */
  readonly deadlineAt: number | null;
  /** What the current step waits for, while WAITING and after. */
  readonly waiting: { readonly signals: readonly string[]; readonly untilAt: number | null } | null;
  /** What ended the wait of the current step. */
  readonly wake: Wake | null;
  /** Whether an earlier attempt at the current step may have had its effect. */
  readonly uncertain: boolean;
  /**
   * Index of the last step that a lost runner may have begun without storing it. Compensation begins there, if it is
   * beyond the current step. Absent if no runner was lost.
   */
  readonly reach?: number;
  /** Why it is compensated. */
  readonly failure: SagaFailure | null;
  /** Why it NEEDS_ATTENTION. */
  readonly attention: SagaFailure | null;
  /** The status to return to after PAUSED or NEEDS_ATTENTION. */
  readonly interrupted: Interruptible | null;
  /** The trace in which it was started. Absent if there was none. */
  readonly trace?: TraceFields;
  /** Requests made while a runner was executing the saga; applied by its next checkpoint. */
  readonly requested: { readonly compensate: SagaFailure | null; readonly pause: boolean };
}

export type Interruptible = "RUNNING" | "WAITING" | "COMPENSATING";

export interface StepRecord {
  readonly name: string;
  /** Whether there is anything to undo. */
  readonly undoable: boolean;
  readonly status: SagaStepStatus;
  /** Number of attempts in the saga's current direction. */
  readonly attempts: number;
  readonly beganAt: number | null;
  readonly endedAt: number | null;
  readonly errors: readonly SagaStepError[];
}

export interface StoredSignal {
  readonly name: string;
  /** Signals with the same id are duplicates. */
  readonly id: string;
  readonly payload: unknown;
  /** Index of the step that consumed it. */
  readonly takenAt: number | null;
}

/** The part of a definition that the pure functions need. */
export interface SagaShape {
  readonly deadlineMs?: number;
  readonly steps: readonly StepShape[];
}

export interface StepShape
  extends Pick<SagaStep<unknown>, "name" | "waitFor" | "isolated" | "retry" | "whenExhausted" | "compensationRetry"> {
  readonly compensate?: unknown;
}

/** Hooks of a definition in the transaction of a change, in this order. */
export type Hook = "onSucceeded" | "onCompensating" | "onCompensated" | "onNeedsAttention" | "onRetried";

/** A change: the new record, and the hooks to run in its transaction. */
export interface Transition {
  readonly record: SagaRecord;
  readonly hooks: readonly Hook[];
}

/** Number of errors kept per step. */
const KEPT_ERRORS = 5;
const ERROR_LENGTH = 1_000;

/** Returns the record with its current step changed. */
export function withStep(record: SagaRecord, change: Partial<StepRecord>, at = record.at): SagaRecord {
  return { ...record, steps: record.steps.map((step, index) => (index === at ? { ...step, ...change } : step)) };
}

/** The current step. */
export function currentStep(record: SagaRecord): StepRecord {
  const step = record.steps[record.at];
  if (step === undefined) {
    throw new RangeError(`a saga of ${record.steps.length} steps is at step ${record.at}`);
  }
  return step;
}

/** Returns the current step's errors with one more. */
export function withError(record: SagaRecord, message: string, now: number): readonly SagaStepError[] {
  const error = { at: now, compensating: record.status === "COMPENSATING", message: message.slice(0, ERROR_LENGTH) };
  return [...currentStep(record).errors, error].slice(-KEPT_ERRORS);
}

/** When a runner must next claim the saga: when it is due, or at its overall deadline. */
export function dueAtOf({ status, dueAt, deadlineAt }: SagaRecord): number | null {
  if (deadlineAt === null || (status !== "RUNNING" && status !== "WAITING")) {
    return dueAt;
  }
  return dueAt === null ? deadlineAt : Math.min(dueAt, deadlineAt);
}
