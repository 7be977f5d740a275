import type { OutboxEvent } from "../outbox/outbox.ts";
import type { AggregateMapping } from "./mapping.ts";
import type { Key } from "./table.ts";

/**
 * A change to a database. Must be repeatable: `decide` may run several times before its result is used, so it must not
 * have effects outside the batch, and cannot await.
 */
export interface Command<Result> {
  /** Declares the rows that `decide` reads or updates. Called once, before the batch begins. */
  keys(need: KeySet): void;
  /**
   * Reads values and decides what to write. An exception rejects this command alone: its writes are dropped and the
   * rest of the batch continues.
   */
  decide(batch: Batch): Result;
}

/** The rows that a command needs. They are locked until the batch commits, in table and key order. */
export interface KeySet {
  /** The aggregate with this primary key, whether or not it exists. */
  one<K extends Key, V>(mapping: AggregateMapping<K, V>, key: K): void;
  /** The aggregate with this value of a unique index, whether or not it exists. */
  by<K extends Key, V>(mapping: AggregateMapping<K, V>, index: string, value: Key): void;
  /** All aggregates with this value of an index. Rows that another process inserts meanwhile are not locked out. */
  all<K extends Key, V>(mapping: AggregateMapping<K, V>, index: string, value: Key): void;
  /**
   * A primary key that almost certainly does not exist, such as a new idempotency key. It costs no SELECT: `get`
   * returns undefined, and the INSERT verifies it. If the key exists, the batch rolls back and runs again with the row
   * loaded.
   */
  fresh<K extends Key, V>(mapping: AggregateMapping<K, V>, key: K): void;
  /** Like {@link fresh}, by a unique index. */
  freshBy<K extends Key, V>(mapping: AggregateMapping<K, V>, index: string, value: Key): void;
}

/** The state of a batch while its commands decide. Values are immutable: an update replaces the whole value. */
export interface Batch {
  /** Database time in epoch milliseconds, the same for the whole batch. */
  readonly nowMs: number;
  /**
   * Returns the value as left by earlier commands of this batch. Throws unless this command declared or inserted the
   * key.
   */
  get<K extends Key, V>(mapping: AggregateMapping<K, V>, key: K): V | undefined;
  /** Like {@link get}, by a unique index that this command declared. */
  find<K extends Key, V>(mapping: AggregateMapping<K, V>, index: string, value: Key): V | undefined;
  /** The aggregates with this value of an index that this command declared with `all`, in the order of their keys. */
  list<K extends Key, V>(mapping: AggregateMapping<K, V>, index: string, value: Key): V[];
  /** Adds a value, whose key need not be declared. Throws a UniqueViolationError if the key is known to exist. */
  insert<K extends Key, V>(mapping: AggregateMapping<K, V>, value: V): void;
  /** Replaces a value. Its row is written once per batch, however many commands update it. */
  update<K extends Key, V>(mapping: AggregateMapping<K, V>, value: V): void;
  /** Deletes a value with all its parts. */
  delete<K extends Key, V>(mapping: AggregateMapping<K, V>, key: K): void;
  /** Writes an event to the outbox in the same transaction. Events keep the order of their commands. */
  publish(event: OutboxEvent): void;
  /**
   * Runs a function once the commit is durable, and never if the batch fails. Best effort, for hints such as waking a
   * worker: the process may crash first. Exceptions are logged.
   */
  afterCommit(run: () => void): void;
}

export interface ExecuteOptions {
  /** Withdraws the command if its batch has not begun. After that the command completes. */
  signal?: AbortSignal | undefined;
  /**
   * The tenant that the command belongs to. When commands wait, tenants take turns. Commands keep the order of their
   * calls within a tenant.
   */
  tenant?: string | undefined;
}

/** The command processor of one database. */
export interface Commands extends AsyncDisposable {
  /**
   * Resolves with the result of `decide` once it is durable. Rejects with
   * - the exception of `keys` or `decide`; nothing of this command is stored;
   * - the signal's reason, if the command was withdrawn; nothing is stored;
   * - the database's error for a rejected row, such as a unique violation; nothing is stored;
   * - an error of kind `conflict` or `lost` of `databaseErrorKind`, after all attempts; nothing is stored;
   * - `CommitUnknownError` if the response to COMMIT was lost: retry only with an idempotency key;
   * - UNAVAILABLE, reason OVERLOADED, if too many commands wait; nothing is stored.
   *
   * Commands of one tenant run in the order of their calls.
   */
  execute<Result>(command: Command<Result>, options?: ExecuteOptions): Promise<Result>;
  /** Rejects new commands with UNAVAILABLE, and resolves when the accepted ones are done. */
  [Symbol.asyncDispose](): Promise<void>;
}
