import type { RawBuilder, SqlBool } from "kysely";
import type { Clock } from "../values/clock.ts";

/** Most rows that one statement deletes, unless a rule says otherwise. Bounds how long it holds locks. */
export const RETENTION_BATCH = 1_000;

/** How long the rows of a table are kept. A service declares a rule for each table that grows. */
export interface RetentionRule {
  readonly table: string;
  /** The column from which the time counts, in epoch milliseconds. Rows without a value are kept. */
  readonly age: string;
  /** In milliseconds; undefined to keep rows forever. */
  readonly keptMs: number | undefined;
  /** About how many rows are deleted at once. Default {@link RETENTION_BATCH}. */
  readonly batch?: number;
  /** The clock that writes `age`. Default: the database's. */
  readonly clock?: Clock;
  /** A further condition of deletion. */
  readonly where?: RawBuilder<SqlBool>;
  /** Ids that begin with their time, for tables without an index on `age`: rows that are too new are not even read. */
  readonly timedIds?: TimedIds;
  /** What is done to expired rows in place of deleting them. */
  readonly instead?: Settlement;
  /**
   * Deletes rows that cannot be found by a column alone; returns whether there may be more. Safe to run concurrently in
   * several processes.
   */
  readonly prune?: (keptMs: number) => Promise<boolean>;
}

export interface TimedIds {
  readonly column: string;
  /** Precedes the time. Default: nothing. */
  readonly prefix?: string;
  readonly clock: Clock;
}

export interface Settlement {
  /** The columns of the rows that `settle` is called with. */
  readonly key: readonly string[];
  /** Settles the rows, which then no longer match the rule. Safe to run concurrently in several processes. */
  settle(rows: readonly unknown[]): Promise<void>;
}
