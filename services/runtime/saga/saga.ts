/** Lifecycle status of a saga. */
export type SagaStatus =
  /** Executing its steps. */
  | "RUNNING"
  /** Waiting before a step for a signal or a deadline. */
  | "WAITING"
  /** Paused by a command. */
  | "PAUSED"
  /** Undoing completed steps. */
  | "COMPENSATING"
  /** All steps done. It can still be compensated. */
  | "SUCCEEDED"
  /** All begun steps are undone. */
  | "COMPENSATED"
  /** Failed permanently; an operator must intervene. */
  | "NEEDS_ATTENTION";

/** Status of a step. */
export type SagaStepStatus = "PENDING" | "BEGUN" | "WAITING" | "DONE" | "COMPENSATED" | "FAILED";

/** Why a saga compensates or needs attention. */
export interface SagaFailure {
  /**
   * UPPER_SNAKE: the reason of a step or command, `DEADLINE_EXCEEDED`, `ATTEMPTS_EXHAUSTED`, `COMPENSATION_FAILED` or
   * `WORKER_DIED`.
   */
  readonly reason: string;
  readonly message: string;
  /** The step where it occurred. */
  readonly step: string;
}

/** One step's record. Times are epoch milliseconds by the database's clock. */
export interface SagaStepRecord {
  readonly name: string;
  readonly status: SagaStepStatus;
  /** Number of attempts in the saga's current direction. */
  readonly attempts: number;
  readonly beganAt?: number;
  readonly endedAt?: number;
  /** The last errors, newest last, at most five. */
  readonly errors: readonly SagaStepError[];
}

export interface SagaStepError {
  readonly at: number;
  readonly compensating: boolean;
  readonly message: string;
}

/** A saga as seen by hooks, tests and operators. */
export interface Saga<State = unknown> {
  readonly id: string;
  readonly tenant: string;
  readonly aggregate: string;
  readonly definition: string;
  readonly version: number;
  readonly status: SagaStatus;
  readonly state: State;
  /** The step that runs, waits or failed; the last one if all are done. */
  readonly step: string;
  readonly steps: readonly SagaStepRecord[];
  /** Why it is or was compensated. */
  readonly failure?: SagaFailure;
  /** Why it NEEDS_ATTENTION. */
  readonly attention?: SagaFailure;
  /** When it is next due without a signal; undefined if nothing is planned. Epoch milliseconds, like all times. */
  readonly dueAt?: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}
