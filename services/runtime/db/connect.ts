import { type Dialect, Kysely, sql, type Transaction } from "kysely";
import { openSqliteDialect } from "./sqlite.ts";
import type { OnStatement } from "./statement.ts";
import { runTransaction, type TransactionOptions } from "./transaction.ts";

/**
 * A service's database, SQLite or MariaDB/MySQL, alike in what follows.
 *
 * - An integer column (BIGINT too) is read as a `number` while that is exact and as a `bigint` beyond 2^53. Read money
 *   with `BigInt(row.x)`, which is right for both; sums through `sumOf` of `sql.ts`.
 * - A blob is read as a `Uint8Array`. Text compares by code point.
 * - The affected rows of an UPDATE are those that its condition matched, changed or not.
 * - Reads outside a transaction see what is committed and wait for nobody.
 */
export interface Database<DB> extends AsyncDisposable {
  readonly kysely: Kysely<DB>;
  readonly dialect: DialectName;
  /**
   * Runs `fn` at READ COMMITTED (SQLite: one writer at a time) and commits. The whole of it is repeated, with full
   * jitter, after a deadlock, a lock timeout, a busy file, or a connection lost before COMMIT; so `fn` must be
   * repeatable and await nothing but the database. Nested calls are not allowed: pass the `trx` on.
   *
   * Rejects with `CommitUnknownError` when the answer to COMMIT was lost. Nothing is left behind by any other error.
   */
  transaction<T>(fn: (trx: Transaction<DB>) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

/** Which SQL the database speaks. `mysql` stands for MariaDB too. */
export type DialectName = "sqlite" | "mysql";

export interface OpenOptions {
  /**
   * `sqlite:/path/file.sqlite`, `sqlite::memory:`, or `mysql://user:password@host:port/schema`, where `?ssl=true` asks for
   * TLS, `?ssl-ca=/path` for TLS with that authority, and `?socket=/path` for a socket instead of the host.
   * The file or the schema is created when missing; a file's folder is not.
   */
  url: string;
  /** Connections of the pool at most, default 16. SQLite ignores it. */
  maxConnections?: number;
  /** How long a statement waits for another transaction's lock, default 5,000 ms. */
  lockWaitMs?: number;
  /**
   * How long a SELECT of a query builder may take, default 10,000 ms. It then fails with the kind `timeout` of
   * `databaseErrorKind`. Only MariaDB and MySQL.
   */
  statementTimeoutMs?: number;
  /** For the jitter between attempts; default `Math.random`. */
  random?: () => number;
  onStatement?: OnStatement | undefined;
}

/** Opens the database and sees that it answers. Throws a TypeError for a URL of another form. */
export async function openDatabase<DB>(options: OpenOptions): Promise<Database<DB>> {
  const random = options.random ?? Math.random;
  const dialect = dialectOf(options.url);
  const kysely = new Kysely<DB>({
    dialect: await openDialect(dialect, options, random),
  });
  try {
    await sql`select 1`.execute(kysely);
  } catch (error) {
    await kysely.destroy();
    throw error;
  }
  return {
    kysely,
    dialect,
    transaction: (fn, transactionOptions) => runTransaction(kysely, fn, { ...transactionOptions, random }),
    [Symbol.asyncDispose]: () => kysely.destroy(),
  };
}

function dialectOf(url: string): DialectName {
  if (url.startsWith("sqlite:")) {
    return "sqlite";
  }
  if (url.startsWith("mysql:")) {
    return "mysql";
  }
  throw new TypeError("a database URL begins with sqlite: or mysql://");
}

async function openDialect(name: DialectName, options: OpenOptions, random: () => number): Promise<Dialect> {
  const { url, lockWaitMs = 5000, onStatement } = options;
  if (name === "sqlite") {
    const path = url.slice("sqlite:".length);
    if (path === "") {
      throw new TypeError("a SQLite URL is sqlite:/path/file.sqlite or sqlite::memory:");
    }
    return openSqliteDialect({ path, lockWaitMs, random, onStatement });
  }
  // Loaded with the first need: whoever runs on SQLite pays nothing for it.
  const { parseMysqlUrl, prepareSchema } = await import("./mysql-server.ts");
  const { createMysqlDialect } = await import("./mysql.ts");
  const server = parseMysqlUrl(url);
  const { collation } = await prepareSchema(server);
  return createMysqlDialect({
    pool: { ...server, connectionLimit: options.maxConnections ?? 16 },
    collation,
    lockWaitMs,
    statementTimeoutMs: options.statementTimeoutMs ?? 10_000,
    onStatement,
  });
}
