import type { Batch, Command, KeySet } from "../../commands/command.ts";
import type { OutboxEvent } from "../../outbox/outbox.ts";
import type { Hook, SagaRecord, Transition } from "../record.ts";

/** The immutable part of a saga. */
export interface SagaIdentity {
  readonly id: string;
  readonly tenant: string;
  readonly aggregate: string;
  readonly definition: string;
  readonly version: number;
  readonly createdAt: number;
}

/** A saga claimed by a runner, as last written or claimed by it. */
export interface ClaimedSaga extends SagaIdentity {
  readonly record: SagaRecord;
  /** Fencing token, incremented by each claim. */
  readonly epoch: number;
  /** Incremented by every write, including commands and signals. */
  readonly revision: number;
  /** Number of runners lost at this step. */
  readonly takeovers: number;
}

/** A change of a claimed saga, committed together with its effects. */
export interface Checkpoint {
  readonly saga: ClaimedSaga;
  /**
   * Computes the change; `stored` is the current record if commands or signals changed it since the claim. Repeatable
   * and without side effects.
   */
  change(stored: SagaRecord | undefined): Transition;
  /** The steps' own changes. */
  readonly commands: readonly Command<void>[];
  readonly events: readonly OutboxEvent[];
  /** Names the rows that the hooks of the definition need. */
  keys(need: KeySet): void;
  /** Calls a hook of the definition. */
  hook(batch: Batch, hook: Hook, record: SagaRecord): void;
  /** Whether the runner keeps the saga; otherwise it is released for any runner to claim. */
  keeps(record: SagaRecord): boolean;
}

/** A committed change. */
export interface Committed {
  readonly record: SagaRecord;
  readonly revision: number;
  readonly kept: boolean;
}

/** Storage of a runner's sagas. */
export interface SagaStore {
  /** Returns the database's time, and when the next saga is due. */
  look(): Promise<{ readonly now: number; readonly dueAt: number | null }>;
  /** Claims due sagas, longest overdue first. Concurrent runners claim disjoint ones. */
  claim(limit: number): Promise<readonly ClaimedSaga[]>;
  /** Renews the leases of these sagas, if this runner still holds them. */
  renew(ids: readonly string[]): Promise<void>;
}

/** Another runner has claimed the saga. */
export class FencedError extends Error {
  override readonly name = "FencedError";

  constructor(id: string) {
    super(`another runner has claimed the saga ${id}`);
  }
}

/** A step's command or a hook of the saga failed. */
export class EffectError extends Error {
  override readonly name = "EffectError";

  constructor(id: string, cause: unknown) {
    super(`a write of saga ${id} failed`, { cause });
  }
}
