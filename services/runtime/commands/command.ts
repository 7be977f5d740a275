import type { OutboxEvent } from "../outbox/outbox.ts";
import type { AggregateMapping } from "./mapping.ts";
import type { Key } from "./table.ts";

/**
 * One change to a database. It must be repeatable: `decide` may run several times before its result is used, so it
 * touches nothing outside the batch and awaits nothing.
 */
export interface Command<Result> {
  /** Names the rows that `decide` reads or updates. Called once, before the batch begins. */
  keys(need: KeySet): void;
  /**
   * Reads values, and decides what to write. An exception rejects this command alone: its writes are dropped and the
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
  /**
   * A primary key that almost certainly does not exist yet, such as an idempotency key. It costs no SELECT: `get` returns
   * undefined, and the INSERT shows whether that was true. If it was not, the batch rolls back and runs again with the
   * existing row loaded.
   */
  fresh<K extends Key, V>(mapping: AggregateMapping<K, V>, key: K): void;
}

/** The state of a batch while its commands decide. Values are immutable: an update replaces the whole value. */
export interface Batch {
  /** The database's clock in epoch milliseconds, the same for the whole batch. */
  readonly nowMs: number;
  /** The value as earlier commands of this batch left it. Throws unless this command named or inserted the key. */
  get<K extends Key, V>(mapping: AggregateMapping<K, V>, key: K): V | undefined;
  /** Like {@link get}, by a unique index that this command named. */
  find<K extends Key, V>(mapping: AggregateMapping<K, V>, index: string, value: Key): V | undefined;
  /** Adds a value. Its key need not be named. Throws a UniqueViolationError if it is known to exist. */
  insert<K extends Key, V>(mapping: AggregateMapping<K, V>, value: V): void;
  /** Replaces a value. However many commands update it, its row is written once. */
  update<K extends Key, V>(mapping: AggregateMapping<K, V>, value: V): void;
  /** Removes a value with all its parts. */
  delete<K extends Key, V>(mapping: AggregateMapping<K, V>, key: K): void;
  /** Writes an event to the outbox in the same transaction. Events keep the order of their commands. */
  publish(event: OutboxEvent): void;
  /**
   * Runs a function once the commit is durable, and never if the batch fails. It is a hint, such as waking a worker:
   * the process may die in between. What it throws is logged.
   */
  afterCommit(run: () => void): void;
}

export interface ExecuteOptions {
  /** Withdraws the command, as long as its batch has not begun. After that the command completes. */
  signal?: AbortSignal | undefined;
}

/** The command processor of one database. */
export interface Commands extends AsyncDisposable {
  /**
   * Resolves with the result of `decide` once it is durable. Rejects with
   * - what `keys` or `decide` threw; nothing of this command is stored;
   * - the signal's reason, if the command was withdrawn; nothing is stored;
   * - the database's error for a row that it refused, such as a unique violation; nothing is stored;
   * - an error of the kind `conflict` or `lost` of `databaseErrorKind`, after all attempts; nothing is stored;
   * - `CommitUnknownError` when the response to COMMIT was lost: repeat the command only if it has an idempotency key.
   *
   * Commands run in the order of their calls.
   */
  execute<Result>(command: Command<Result>, options?: ExecuteOptions): Promise<Result>;
  /** Refuses new commands with UNAVAILABLE, and resolves when the accepted ones are done. */
  [Symbol.asyncDispose](): Promise<void>;
}
