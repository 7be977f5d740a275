import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { QueryResult } from "kysely";
import { statementTimeout } from "../errors.ts";
import { type OnStatement, toBindValue, toRowInteger } from "../statement.ts";

/** A connection to a SQLite file. Calls are synchronous and block the event loop. */
export interface SqliteFile {
  /** Whether a transaction is open. SQLite itself ends one on errors such as a full disk. */
  readonly inTransaction: boolean;
  query<R>(sql: string, parameters?: readonly unknown[]): QueryResult<R>;
  /** Rows of a SELECT as arrays, which cost a third of objects in a thread transfer. Not reported. */
  table(sql: string, parameters: readonly unknown[]): Table;
  /** Runs an internal statement, such as a savepoint, without reporting it. Returns its first row. */
  control(sql: string): Readonly<Record<string, unknown>> | undefined;
  /** Iterates over the rows in constant memory. The connection keeps its snapshot until the iterator ends. */
  rows<R>(sql: string, parameters: readonly unknown[]): IterableIterator<R>;
  close(): void;
}

/** Rows of a SELECT, with their values in column order. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface SqliteFileOptions {
  readonly readOnly?: boolean;
  /**
   * Called by {@link continueCondition}: `false` aborts the statement with an error of kind `timeout`. Default:
   * statements are never aborted.
   */
  readonly mayContinue?: () => boolean;
  readonly onStatement?: OnStatement | undefined;
}

/**
 * A condition that is always true and lets a running SELECT be aborted: `node:sqlite` can neither interrupt a statement
 * nor limit its time. It must come first in WHERE, where SQLite evaluates it for each row of the first table.
 */
export const continueCondition = "docket_continue()";

/** Most cached prepared statements per connection (least recently used). */
const CACHED_STATEMENTS = 1024;

interface Prepared {
  statement: StatementSync;
  /** Whether it returns rows. */
  reads: boolean;
  /** Whether rerunning it has no effect. */
  repeatable: boolean;
}

/**
 * Opens a file, with its write-ahead log, or memory (`:memory:`). A missing file is created with owner-only
 * permissions, unless `readOnly`.
 */
export function openSqliteFile(path: string, options: SqliteFileOptions): SqliteFile {
  const { readOnly = false, mayContinue = () => true, onStatement } = options;
  if (!readOnly && path !== ":memory:") {
    // SQLite would create it world-readable. Its log and index inherit the file's permissions.
    closeSync(openSync(path, "a", 0o600));
  }
  const database = new DatabaseSync(path, {
    readOnly,
    timeout: readOnly ? 250 : 0,
  });
  database.function("docket_continue", () => {
    if (!mayContinue()) {
      throw statementTimeout();
    }
    return 1;
  });
  const cache = new Map<string, Prepared>();

  const prepare = (sql: string): Prepared => {
    const cached = cache.get(sql);
    if (cached) {
      cache.delete(sql);
      cache.set(sql, cached);
      return cached;
    }
    const statement = database.prepare(sql);
    const reads = statement.columns().length > 0;
    const repeatable = /^\s*(select|with)\b/i.test(sql) && reads;
    if (reads && !repeatable) {
      statement.setReadBigInts(true);
    }
    const prepared = { statement, reads, repeatable };
    cache.set(sql, prepared);
    if (cache.size > CACHED_STATEMENTS) {
      const [oldest] = cache.keys();
      cache.delete(oldest ?? "");
    }
    return prepared;
  };

  const run = <R>(sql: string, parameters: readonly unknown[]): QueryResult<R> => {
    const { statement, reads, repeatable } = prepare(sql);
    const bound = parameters.map(bind);
    if (!reads) {
      const { changes, lastInsertRowid } = statement.run(...bound);
      return {
        numAffectedRows: BigInt(changes),
        insertId: BigInt(lastInsertRowid),
        rows: [],
      };
    }
    return { rows: (repeatable ? readRows(statement, bound) : statement.all(...bound).map(narrow)) as R[] };
  };

  return {
    get inTransaction() {
      return database.isTransaction;
    },
    query(sql, parameters = []) {
      if (!onStatement) {
        return run(sql, parameters);
      }
      const startedMs = performance.now();
      try {
        const result = run<never>(sql, parameters);
        onStatement({
          sql,
          parameters,
          durationMs: performance.now() - startedMs,
        });
        return result;
      } catch (error) {
        onStatement({
          sql,
          parameters,
          durationMs: performance.now() - startedMs,
          error,
        });
        throw error;
      }
    },
    table(sql, parameters) {
      const { statement } = prepare(sql);
      statement.setReturnArrays(true);
      const rows = readRows(statement, parameters.map(bind)) as unknown as unknown[][];
      return { columns: statement.columns().map(({ name }) => name), rows };
    },
    control: (sql) => prepare(sql).statement.get(),
    *rows<R>(sql: string, parameters: readonly unknown[]) {
      const startedMs = performance.now();
      const statement = database.prepare(sql);
      statement.setReadBigInts(true);
      for (const row of statement.iterate(...parameters.map(bind))) {
        yield narrow(row) as R;
      }
      onStatement?.({
        sql,
        parameters,
        durationMs: performance.now() - startedMs,
      });
    },
    close() {
      cache.clear();
      database.close();
    },
  };
}

/** Runs a read-only statement, a second time if an integer exceeds 2^53. */
function readRows(statement: StatementSync, bound: readonly SQLInputValue[]) {
  try {
    return statement.all(...bound);
  } catch (error) {
    if (!(Error.isError(error) && "code" in error && error.code === "ERR_OUT_OF_RANGE")) {
      throw error;
    }
    statement.setReadBigInts(true);
    try {
      return statement.all(...bound).map(narrow);
    } finally {
      statement.setReadBigInts(false);
    }
  }
}

/**
 * `node:sqlite` binds every number as a float, which is visible in arithmetic and text; integers are bound as integers.
 */
function bind(parameter: unknown) {
  const value = toBindValue(parameter);
  return Number.isSafeInteger(value) ? BigInt(value as number) : value;
}

function narrow<T extends Record<string, unknown>>(row: T): T {
  for (const [column, value] of Object.entries(row)) {
    if (typeof value === "bigint") {
      Object.assign(row, { [column]: toRowInteger(value) });
    }
  }
  return row;
}
