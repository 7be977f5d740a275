import type { QueryExecutorProvider, RawBuilder, SqlBool } from "kysely";
import type { AnyTransaction } from "../db/any-transaction.ts";
import type { BatchSagas } from "./batch-sagas.ts";
import type { CommandResult } from "./commands.ts";
import type { NewSaga } from "./new-saga.ts";
import type { Saga } from "./saga.ts";

/** A page of sagas, newest first. */
export interface SagaQuery {
  /** A handle of `Database.reading`, for reads on behalf of a caller. Default: the database itself. */
  readonly reads?: QueryExecutorProvider;
  /** Default: all tenants. */
  readonly tenant?: string;
  readonly limit: number;
  /** Only ids below this one, the last of the previous page. */
  readonly beforeId?: string;
  /** A condition on the columns of `sagas`, for example a compiled filter. */
  readonly where?: RawBuilder<SqlBool>;
}

/**
 * Commands and queries of sagas. Every command joins the caller's transaction, locks the saga's row, and wakes the
 * runner of this process after the commit.
 *
 * ```ts
 * await db.transaction(async (trx) => {
 *   await insertTrip(trx, trip);
 *   await sagas.start(trx, { definition: bookTrip, id: trip.id, tenant, aggregate: trip.name, state: { … } });
 * });
 * // in a consumer
 * on(VisaGrantedSchema, async (trx, message) => {
 *   await sagas.signal(trx, tripIdOf(message), "visa", { visa: message.visa });
 * });
 * ```
 */
export interface Sagas {
  /** The same commands within a batch of the database's command processor. */
  readonly inBatch: BatchSagas;
  /**
   * Starts a saga on the transaction's commit, in one statement. It is already claimed by the runner of this process.
   */
  start<State>(trx: AnyTransaction, saga: NewSaga<State>): Promise<void>;
  /**
   * Sends a signal to a saga. It is kept until a step waits for it, so it may arrive early. `id` (default: the name)
   * deduplicates: a signal with a known id has no effect, however old.
   *
   * @returns False if the saga does not exist
   */
  signal(trx: AnyTransaction, sagaId: string, name: string, payload?: unknown, id?: string): Promise<boolean>;
  /**
   * Compensates a saga, even if it is paused, waiting, succeeded or in need of attention. A running step finishes first
   * and is then undone with the others; the definition's `onCompensating` runs in that step's transaction, or in this
   * one if no step is running. Idempotent.
   */
  compensate(trx: AnyTransaction, sagaId: string, reason: string, message?: string): Promise<CommandResult>;
  /**
   * Retries a saga in NEEDS_ATTENTION in its direction, with attempts reset; with `fromStep` forward from that step,
   * which must be the failed one or an earlier one. A COMPENSATED saga restarts from the first step, with new
   * idempotency keys.
   */
  retry(trx: AnyTransaction, sagaId: string, options?: { readonly fromStep?: string }): Promise<CommandResult>;
  /** Pauses a saga after its current step. Signals are still stored. */
  pause(trx: AnyTransaction, sagaId: string): Promise<CommandResult>;
  /** Resumes a paused saga where it stopped. Deadlines are not extended. */
  resume(trx: AnyTransaction, sagaId: string): Promise<CommandResult>;
  get(sagaId: string): Promise<Saga | undefined>;
  list(query: SagaQuery): Promise<Saga[]>;
}
