import { type Dialect, Kysely, type KyselyPlugin, sql, type Transaction } from "kysely";
import { createReadSlots } from "./read-slots.ts";
import { createReading, endableSelects, type Read, type ReadOptions } from "./reading.ts";
import { openSqliteDialect } from "./sqlite/dialect.ts";
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
   * For reads that a caller can make long: lists, filters, statistics, exports. Each SELECT sees what is committed when it
   * begins, so everything that was answered before. It ends when `signal` is aborted, with its reason, or after
   * `statementTimeoutMs`, with the kind `timeout` of `databaseErrorKind`. A caller has a part of the reads at once, and
   * waits where it has more. SQLite reads on threads of its own, which leave the event loop free.
   */
  reading(options: ReadOptions): Kysely<DB>;
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
   * `databaseErrorKind`. On SQLite, SELECTs of `reading` alone.
   */
  statementTimeoutMs?: number | undefined;
  /** For the jitter between attempts; default `Math.random`. */
  random?: () => number;
  onStatement?: OnStatement | undefined;
}

/** Opens the database and sees that it answers. Throws a TypeError for a URL of another form. */
export async function openDatabase<DB>(options: OpenOptions): Promise<Database<DB>> {
  const random = options.random ?? Math.random;
  const name = dialectOf(options.url);
  const { dialect, read, plugins, slots } = await openDialect(name, options, random);
  const kysely = new Kysely<DB>({ dialect });
  try {
    await sql`select 1`.execute(kysely);
  } catch (error) {
    await kysely.destroy();
    throw error;
  }
  return {
    kysely,
    dialect: name,
    reading: createReading<DB>({ dialect, read, plugins, slots: createReadSlots(slots) }),
    transaction: (fn, transactionOptions) => runTransaction(kysely, fn, { ...transactionOptions, random }),
    [Symbol.asyncDispose]: () => kysely.destroy(),
  };
}

/** Threads that read a SQLite file at the most, and how many of them one caller may keep busy. */
const SQLITE_READS = { most: 4, perCaller: 2 };

function dialectOf(url: string): DialectName {
  if (url.startsWith("sqlite:")) {
    return "sqlite";
  }
  if (url.startsWith("mysql:")) {
    return "mysql";
  }
  throw new TypeError("a database URL begins with sqlite: or mysql://");
}

interface OpenDialect {
  readonly dialect: Dialect;
  /** Where SELECTs of `reading` run. */
  readonly read: Read;
  readonly plugins: KyselyPlugin[];
  readonly slots: Parameters<typeof createReadSlots>[0];
}

async function openDialect(name: DialectName, options: OpenOptions, random: () => number): Promise<OpenDialect> {
  const { url, lockWaitMs = 5000, statementTimeoutMs = 10_000, onStatement } = options;
  if (name === "sqlite") {
    const path = url.slice("sqlite:".length);
    if (path === "") {
      throw new TypeError("a SQLite URL is sqlite:/path/file.sqlite or sqlite::memory:");
    }
    const opened = await openSqliteDialect({ path, lockWaitMs, random, statementTimeoutMs, onStatement });
    return { ...opened, plugins: [endableSelects], slots: SQLITE_READS };
  }
  // Loaded with the first need: whoever runs on SQLite pays nothing for it.
  const { parseMysqlUrl, prepareSchema } = await import("./mysql/server.ts");
  const { createMysqlDialect } = await import("./mysql/dialect.ts");
  const server = parseMysqlUrl(url);
  const { collation } = await prepareSchema(server);
  const { maxConnections = 16 } = options;
  const pool = { ...server, connectionLimit: maxConnections };
  return {
    ...createMysqlDialect({ pool, collation, lockWaitMs, statementTimeoutMs, onStatement }),
    plugins: [],
    // The rest of the pool is for transactions.
    slots: { most: Math.ceil((maxConnections * 3) / 4), perCaller: Math.ceil(maxConnections / 2) },
  };
}
