import type { SagaStep, Wake } from "./definition.ts";
import type { SagaFailure, SagaStatus, SagaStepError, SagaStepStatus } from "./saga.ts";

/**
 * Everything about a saga that changes: the value on which the pure functions of `machine.ts` and `commands.ts` work.
 * It knows of its definition only what it needs to be turned round or shown by a process that does not have it.
 */
export interface SagaRecord {
  readonly status: SagaStatus;
  /** Index of the step that runs, waits or failed; the last one when all are done. */
  readonly at: number;
  readonly steps: readonly StepRecord[];
  readonly state: unknown;
  /** In the order of their coming. */
  readonly signals: readonly StoredSignal[];
  /** Grows when a compensated saga begins anew: part of the idempotency keys. */
  readonly round: number;
  /** When the saga is to run next without being woken: now or later; null where nothing is planned. */
  readonly dueAt: number | null;
  /** Until when the saga as a whole may go forward. */
  readonly deadlineAt: number | null;
  /** What the current step waits for, while WAITING and after. */
  readonly waiting: { readonly signals: readonly string[]; readonly untilAt: number | null } | null;
  /** What ended the waiting of the current step. */
  readonly wake: Wake | null;
  /** Whether an earlier attempt at the current step may have had its effect. */
  readonly uncertain: boolean;
  /** Why it was turned round. */
  readonly failure: SagaFailure | null;
  /** Why it NEEDS_ATTENTION. */
  readonly attention: SagaFailure | null;
  /** Which status it had when it was paused or gave up, to go on from. */
  readonly interrupted: Interruptible | null;
  /** What somebody asked for while a runner was at work; that runner's next checkpoint does it. */
  readonly requested: { readonly compensate: SagaFailure | null; readonly pause: boolean };
}

export type Interruptible = "RUNNING" | "WAITING" | "COMPENSATING";

export interface StepRecord {
  readonly name: string;
  /** Whether there is anything to undo. */
  readonly undoable: boolean;
  readonly status: SagaStepStatus;
  /** Attempts that ended, in the direction that the saga has now. */
  readonly attempts: number;
  readonly beganAt: number | null;
  readonly endedAt: number | null;
  readonly errors: readonly SagaStepError[];
}

export interface StoredSignal {
  readonly name: string;
  /** The same id again is the same signal. */
  readonly id: string;
  readonly payload: unknown;
  /** Index of the step that took it. */
  readonly takenAt: number | null;
}

/** What the pure functions need of a definition. */
export interface SagaShape {
  readonly deadlineMs?: number;
  readonly steps: readonly StepShape[];
}

export interface StepShape
  extends Pick<SagaStep<unknown>, "name" | "waitFor" | "retry" | "whenExhausted" | "compensationRetry"> {
  readonly compensate?: unknown;
}

/** What a saga's definition may do in the transaction of a change, in this order. */
export type Hook = "onSucceeded" | "onCompensating" | "onCompensated" | "onNeedsAttention" | "onRetried";

/** A change: the record afterwards, and the hooks that belong into its transaction. */
export interface Transition {
  readonly record: SagaRecord;
  readonly hooks: readonly Hook[];
}

/** How many errors of a step are remembered. */
const KEPT_ERRORS = 5;
const ERROR_LENGTH = 1_000;

/** The record with its current step changed. */
export function withStep(record: SagaRecord, change: Partial<StepRecord>, at = record.at): SagaRecord {
  return { ...record, steps: record.steps.map((step, index) => (index === at ? { ...step, ...change } : step)) };
}

/** The current step. */
export function currentStep(record: SagaRecord): StepRecord {
  const step = record.steps[record.at];
  if (step === undefined) {
    throw new RangeError(`a saga of ${record.steps.length} steps stands at step ${record.at}`);
  }
  return step;
}

/** The current step's errors with one more. */
export function withError(record: SagaRecord, message: string, now: number): readonly SagaStepError[] {
  const error = { at: now, compensating: record.status === "COMPENSATING", message: message.slice(0, ERROR_LENGTH) };
  return [...currentStep(record).errors, error].slice(-KEPT_ERRORS);
}

/** When a runner is to take the saga up: when it is due, or when its deadline as a whole passes. */
export function dueAtOf({ status, dueAt, deadlineAt }: SagaRecord): number | null {
  if (deadlineAt === null || (status !== "RUNNING" && status !== "WAITING")) {
    return dueAt;
  }
  return dueAt === null ? deadlineAt : Math.min(dueAt, deadlineAt);
}
