import type { QueryExecutorProvider, RawBuilder, SqlBool } from "kysely";
import type { AnyTransaction } from "../db/any-transaction.ts";
import type { SagaDefinition } from "./definition.ts";
import type { Saga, SagaStatus } from "./saga.ts";

/** A saga to start. */
export interface NewSaga<State, DB> {
  readonly definition: SagaDefinition<State, DB>;
  /** Unique among all sagas of the database, at most 64 characters; commonly the id of the aggregate. */
  readonly id: string;
  readonly tenant: string;
  /** What it works on, as a resource name. */
  readonly aggregate: string;
  readonly state: State;
}

/** What became of a command: done, or not possible where the saga stands. */
export type CommandResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: "NOT_FOUND" }
  | { readonly ok: false; readonly reason: "WRONG_STATUS"; readonly status: SagaStatus };

/** One page of sagas, the newest first. */
export interface SagaQuery {
  /** Of `Database.reading`, where a caller waits for the list; the database's own unless given. */
  readonly reads?: QueryExecutorProvider;
  readonly tenant: string;
  readonly limit: number;
  /** Only ids below this one, the last of the page before. */
  readonly beforeId?: string;
  /** A condition on the columns of `sagas`, for example a compiled filter. */
  readonly where?: RawBuilder<SqlBool>;
}

/**
 * What services do with sagas. Every command takes part in the caller's transaction, locks the saga's row, and wakes
 * the runner of this process after the commit.
 *
 * ```ts
 * await db.transaction(async (trx) => {
 *   await insertTrip(trx, trip);
 *   await sagas.start(trx, { definition: bookTrip, id: trip.id, tenant, aggregate: trip.name, state: { … } });
 * });
 *
 * // in a consumer
 * on(VisaGrantedSchema, async (trx, message) => {
 *   await sagas.signal(trx, tripIdOf(message), "visa", { visa: message.visa });
 * });
 * ```
 */
export interface Sagas<DB = unknown> {
  /** Begins a saga with the transaction's commit: one statement. The runner of this process has it claimed already. */
  start<State>(trx: AnyTransaction, saga: NewSaga<State, DB>): Promise<void>;
  /**
   * Tells a saga that something happened. Kept until a step waits for it, so it may come early; `id` (unless given the
   * name) makes it unique: a signal with an id seen before changes nothing, however long ago that was.
   *
   * @returns false where there is no such saga
   */
  signal(trx: AnyTransaction, sagaId: string, name: string, payload?: unknown, id?: string): Promise<boolean>;
  /**
   * Undoes a saga, also one that is paused, waits, needs attention or has succeeded. A step that runs at this moment
   * finishes first and is then undone with the others; the definition's `onCompensating` runs in that step's
   * transaction, and in this one where no step runs. Repeating it changes nothing.
   */
  compensate(trx: AnyTransaction, sagaId: string, reason: string, message?: string): Promise<CommandResult>;
  /**
   * Lets a saga that NEEDS_ATTENTION go on in its direction, its attempts counted from nothing; with `fromStep` forward
   * from that step, which must be the one that failed or one before. A COMPENSATED saga begins anew from the first step,
   * with new idempotency keys.
   */
  retry(trx: AnyTransaction, sagaId: string, options?: { readonly fromStep?: string }): Promise<CommandResult>;
  /** Stops a saga after the step that runs now. ChangeNotifier are still kept. */
  pause(trx: AnyTransaction, sagaId: string): Promise<CommandResult>;
  /** Lets a paused saga go on where it was. A deadline that passed meanwhile has passed. */
  resume(trx: AnyTransaction, sagaId: string): Promise<CommandResult>;
  get(sagaId: string): Promise<Saga | undefined>;
  list(query: SagaQuery): Promise<Saga[]>;
}
