import { SpanKind } from "@opentelemetry/api";
import { type Dialect, Kysely, type KyselyPlugin, sql, type Transaction } from "kysely";
import type { Live } from "../config/live.ts";
import { inChildSpan } from "../telemetry/tracing.ts";
import type { DatabaseCredentials } from "./credentials.ts";
import { createReadPosition, type ReadPosition } from "./read-position.ts";
import { createReadSlots } from "./read-slots.ts";
import { createReading, endableSelects, type Read, type ReadOptions } from "./reading.ts";
import { openSqliteDialect } from "./sqlite/dialect.ts";
import type { OnStatement } from "./statement.ts";
import { runTransaction, type TransactionOptions } from "./transaction.ts";

/**
 * A service's database, with the same behaviour on SQLite and MariaDB/MySQL:
 * - Integer columns (BIGINT too) are read as a `number` if exact, else as a `bigint` beyond 2^53. Read money with
 *   `BigInt(row.x)`, which is right for both; sums through `sumOf` of `sql.ts`.
 * - Blobs are read as `Uint8Array`. Text compares by code point.
 * - The affected rows of an UPDATE are those that its condition matched, changed or not.
 * - Reads outside a transaction see committed data and never wait for locks.
 */
export interface Database<DB> extends AsyncDisposable {
  readonly kysely: Kysely<DB>;
  readonly dialect: DialectName;
  /** How long the replica needs to apply what was committed, if there is one; infinite if it is far behind. */
  readonly replicaLagMs?: () => Promise<number>;
  /**
   * Query builder for reads of unbounded duration: lists, filters, statistics, exports. Each SELECT sees the data
   * committed when it begins, including everything acknowledged before. It is aborted by `signal`, with its reason, or
   * after `statementTimeoutMs`, with the kind `timeout` of `databaseErrorKind`. Concurrent reads per caller are
   * limited; further ones wait. With a replica it reads there, once the replica has applied what this process has
   * committed and `after`, or after 50 ms on the primary. SQLite reads on separate threads, which keeps the event loop free.
   */
  reading(options: ReadOptions): Kysely<DB>;
  /**
   * Runs `fn` at READ COMMITTED (SQLite: one writer at a time) and commits. Retries all of it, with full jitter, after
   * a deadlock, a lock timeout, a busy file, or a connection lost before COMMIT, so `fn` must be repeatable and await
   * only the database. Calls must not be nested: pass `trx` instead.
   *
   * Rejects with `CommitUnknownError` if the response to COMMIT was lost. After any other error nothing is stored.
   */
  transaction<T>(fn: (trx: Transaction<DB>) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

/** SQL dialect of the database. `mysql` includes MariaDB. */
export type DialectName = "sqlite" | "mysql";

export interface OpenOptions {
  /**
   * `sqlite:/path/file.sqlite`, `sqlite::memory:`, or `mysql://user:password@host:port/schema`, where `?ssl=true`
   * enables TLS, `?ssl-ca=/path` enables TLS with that authority, and `?socket=/path` uses a socket instead of the
   * host. `?replica=host:port` names a MariaDB replica for `reading`. The file or schema is created if missing; a file's folder is not.
   */
  url: string;
  /** User and password of new connections, in place of those of the URL. Ignored on SQLite. */
  credentials?: Live<DatabaseCredentials> | undefined;
  /** Most connections of the pool, default 16. Ignored on SQLite. */
  maxConnections?: number | undefined;
  /** Lock wait timeout of a statement, default 5,000 ms. */
  lockWaitMs?: number;
  /**
   * Timeout of a query builder's SELECT, default 10,000 ms. It then fails with the kind `timeout` of
   * `databaseErrorKind`. On SQLite it applies only to SELECTs of `reading`.
   */
  statementTimeoutMs?: number | undefined;
  /** Advanced by commits, where the URL names a replica. Shared by the databases of one server. Default: its own. */
  position?: ReadPosition | undefined;
  /** Random source for jitter; default `Math.random`. */
  random?: () => number;
  onStatement?: OnStatement | undefined;
}

/** Opens the database and checks the connection. Throws a TypeError for a malformed URL. */
export async function openDatabase<DB>(options: OpenOptions): Promise<Database<DB>> {
  const random = options.random ?? Math.random;
  const name = dialectOf(options.url);
  const { dialect, read, plugins, slots, replicaLagMs } = await openDialect(name, options, random);
  const kysely = new Kysely<DB>({ dialect });
  const spanOptions = { kind: SpanKind.CLIENT, attributes: { "db.system.name": name } };
  try {
    await sql`select 1`.execute(kysely);
  } catch (error) {
    await kysely.destroy();
    throw error;
  }
  return {
    kysely,
    dialect: name,
    ...(replicaLagMs && { replicaLagMs }),
    reading: createReading<DB>({ dialect, read, plugins, slots: createReadSlots(slots) }),
    transaction: (fn, transactionOptions) =>
      inChildSpan("transaction", spanOptions, () => runTransaction(kysely, fn, { ...transactionOptions, random })),
    [Symbol.asyncDispose]: () => kysely.destroy(),
  };
}

/** Most threads that read a SQLite file, and most of them per caller. */
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
  /** Executes SELECTs of `reading`. */
  readonly read: Read;
  readonly replicaLagMs?: () => Promise<number>;
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
  // Loaded on first use, so that SQLite installations do not pay for it.
  const { parseMysqlUrl, prepareSchema, replicaOf } = await import("./mysql/server.ts");
  const { createMysqlDialect } = await import("./mysql/dialect.ts");
  const { credentials, position = createReadPosition() } = options;
  const replica = replicaOf(url);
  const server = { ...parseMysqlUrl(url), ...credentials?.current };
  const { collation } = await prepareSchema(server);
  const { maxConnections = 16 } = options;
  const pool = { ...server, connectionLimit: maxConnections };
  return {
    ...createMysqlDialect({
      pool,
      replica,
      position,
      credentials,
      collation,
      lockWaitMs,
      statementTimeoutMs,
      onStatement,
    }),
    plugins: [],
    // The rest of the pool is reserved for transactions.
    slots: { most: Math.ceil((maxConnections * 3) / 4), perCaller: Math.ceil(maxConnections / 2) },
  };
}
