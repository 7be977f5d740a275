import type { Transaction } from "kysely";
import type { OutboxEvent } from "../../outbox/outbox.ts";
import type { Hook, SagaRecord, Transition } from "../record.ts";

/** What never changes of a saga. */
export interface SagaIdentity {
  readonly id: string;
  readonly tenant: string;
  readonly aggregate: string;
  readonly definition: string;
  readonly version: number;
  readonly createdAt: number;
}

/** A saga in the hands of one runner, as it was when that runner last wrote or claimed it. */
export interface ClaimedSaga extends SagaIdentity {
  readonly record: SagaRecord;
  /** The fence: a later claim has a higher one. */
  readonly epoch: number;
  /** Changes with every write, also those of commands and signals. */
  readonly revision: number;
  /** How many runners were lost at this step. */
  readonly takeovers: number;
}

/** A change of a claimed saga, to be committed with what belongs to it. */
export interface Checkpoint<DB> {
  readonly saga: ClaimedSaga;
  /**
   * Gives the change; `stored` is the record as commands and signals have left it, where they came since the claim.
   * Repeatable and without side effects.
   */
  change(stored: SagaRecord | undefined): Transition;
  /** The step's own writes. */
  write?(trx: Transaction<DB>): Promise<void>;
  readonly events: readonly OutboxEvent[];
  /** The definition's part in the change. */
  hook(trx: Transaction<DB>, hook: Hook, record: SagaRecord): Promise<void>;
  /** Whether the runner goes on with the saga; else it is given up for anybody to claim. */
  keeps(record: SagaRecord): boolean;
}

/** A change that took place. */
export interface Committed {
  readonly record: SagaRecord;
  readonly revision: number;
  readonly kept: boolean;
}

/** Where a runner keeps its sagas. */
export interface SagaStore<DB> {
  /** The database's time, and when the next saga is due. */
  look(): Promise<{ readonly now: number; readonly dueAt: number | null }>;
  /** Claims due sagas, the longest due first. Runners that claim at once get different ones. */
  claim(limit: number): Promise<readonly ClaimedSaga[]>;
  /** Begins the leases of these sagas anew, where they are still this runner's. */
  renew(ids: readonly string[]): Promise<void>;
  /**
   * Writes all checkpoints in one transaction, or none.
   *
   * @throws FencedError for sagas that another runner has claimed since; EffectError when what belongs to a change
   *   failed; database errors
   */
  commit(checkpoints: readonly Checkpoint<DB>[]): Promise<readonly Committed[]>;
}

/** Another runner has claimed these sagas. */
export class FencedError extends Error {
  override readonly name = "FencedError";
  readonly ids: ReadonlySet<string>;

  constructor(ids: Iterable<string>) {
    super("another runner has claimed the saga");
    this.ids = new Set(ids);
  }
}

/** A step's own writes or a hook of one saga failed. */
export class EffectError extends Error {
  override readonly name = "EffectError";
  readonly id: string;

  constructor(id: string, cause: unknown) {
    super(`a write of saga ${id} failed`, { cause });
    this.id = id;
  }
}
