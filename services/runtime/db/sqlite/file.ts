import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { QueryResult } from "kysely";
import { statementTimeout } from "../errors.ts";
import { type OnStatement, toBindValue, toRowInteger } from "../statement.ts";

/** One connection to a SQLite file. Calls are synchronous: nothing else of this process runs meanwhile. */
export interface SqliteFile {
  /** Whether a transaction is open; SQLite itself ends one on errors such as a full disk. */
  readonly inTransaction: boolean;
  query<R>(sql: string, parameters?: readonly unknown[]): QueryResult<R>;
  /** A SELECT's rows as arrays, which cost a third of objects on their way to another thread. Not reported. */
  table(sql: string, parameters: readonly unknown[]): Table;
  /** Runs a statement that is our own book-keeping and not reported, such as a savepoint. Returns its first row. */
  control(sql: string): Readonly<Record<string, unknown>> | undefined;
  /** The rows one by one, in constant memory. The connection holds its view of the data until the iterator ends. */
  rows<R>(sql: string, parameters: readonly unknown[]): IterableIterator<R>;
  close(): void;
}

/** The rows of a SELECT, each with its values in the order of the columns. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface SqliteFileOptions {
  readonly readOnly?: boolean;
  /**
   * Asked by {@link continueCondition}: `false` ends the statement, with an error of the kind `timeout`. Unless given,
   * statements are not ended.
   */
  readonly mayContinue?: () => boolean;
  readonly onStatement?: OnStatement | undefined;
}

/**
 * A condition that is true, and by which a running SELECT can be ended: `node:sqlite` can neither interrupt a statement
 * nor limit its time. It belongs at the beginning of WHERE, where SQLite evaluates it
 * for each row of the first table.
 */
export const continueCondition = "docket_continue()";

/** How many prepared statements a connection keeps, the least recently used one leaving first. */
const CACHED_STATEMENTS = 1024;

interface Prepared {
  statement: StatementSync;
  /** Whether it answers with rows. */
  reads: boolean;
  /** Whether running it again changes nothing. */
  repeatable: boolean;
}

/** Opens a file, with its write-ahead log, or memory (`:memory:`). A file is created when missing unless `readOnly`, for its owner alone. */
export function openSqliteFile(path: string, options: SqliteFileOptions): SqliteFile {
  const { readOnly = false, mayContinue = () => true, onStatement } = options;
  if (!readOnly && path !== ":memory:") {
    // SQLite would create it for everyone to read; its log and index get the permissions of the file.
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

/** Runs a statement that changes nothing, again where an integer is beyond 2^53. */
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

/** `node:sqlite` binds every number as a float, which shows in arithmetic and in text; integers go as integers here. */
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
