/** Where a saga stands. */
export type SagaStatus =
  /** Going forward. */
  | "RUNNING"
  /** Resting before a step until a signal or a deadline. */
  | "WAITING"
  /** Stopped by somebody. */
  | "PAUSED"
  /** Undoing what was done. */
  | "COMPENSATING"
  /** All steps done. It can still be compensated. */
  | "SUCCEEDED"
  /** All that was begun is undone. */
  | "COMPENSATED"
  /** Failed for good; a person must look. */
  | "NEEDS_ATTENTION";

/** Where one step of a saga stands. */
export type SagaStepStatus = "PENDING" | "BEGUN" | "WAITING" | "DONE" | "COMPENSATED" | "FAILED";

/** Why a saga compensates or needs attention. */
export interface SagaFailure {
  /** UPPER_SNAKE: what a step or a command gave, `DEADLINE_EXCEEDED`, `ATTEMPTS_EXHAUSTED`, `COMPENSATION_FAILED` or `WORKER_DIED`. */
  readonly reason: string;
  readonly message: string;
  /** The step at which it happened. */
  readonly step: string;
}

/** One step's record. Times are epoch milliseconds by the database's clock. */
export interface SagaStepRecord {
  readonly name: string;
  readonly status: SagaStepStatus;
  /** How many attempts ended, in the direction that the saga has now. */
  readonly attempts: number;
  readonly beganAt?: number;
  readonly endedAt?: number;
  /** The last errors, the newest last, at most five. */
  readonly errors: readonly SagaStepError[];
}

export interface SagaStepError {
  readonly at: number;
  readonly compensating: boolean;
  readonly message: string;
}

/** A saga as hooks, tests and operators see it. */
export interface Saga<State = unknown> {
  readonly id: string;
  readonly tenant: string;
  readonly aggregate: string;
  readonly definition: string;
  readonly version: number;
  readonly status: SagaStatus;
  readonly state: State;
  /** The step that runs, waits or failed; the last one when all are done. */
  readonly step: string;
  readonly steps: readonly SagaStepRecord[];
  /** Why it was turned round, from then on. */
  readonly failure?: SagaFailure;
  /** Why it NEEDS_ATTENTION, as long as it does. */
  readonly attention?: SagaFailure;
  /** When it runs next without being woken; undefined where nothing is planned. Epoch milliseconds, as are the others. */
  readonly dueAt?: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}
