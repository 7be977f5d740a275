import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  type QueryResult,
} from "kysely";
import { createPool, type Pool, type PoolConnection, type PoolOptions } from "mysql2";
import type { Live } from "../../config/live.ts";
import { within } from "../../process/with-timeout.ts";
import { systemClock } from "../../values/clock.ts";
import type { DatabaseCredentials } from "../credentials.ts";
import { CommitUnknownError, databaseErrorKind } from "../errors.ts";
import type { ReadPosition } from "../read-position.ts";
import type { Read } from "../reading.ts";
import type { OnStatement } from "../statement.ts";
import { createMysqlConnection, execute, type MysqlConnection, onCommitted, send } from "./connection.ts";
import { createReplicaRead, type ReadAfter, ReplicaAwayError } from "./replica-read.ts";
import type { ReplicaAddress } from "./server.ts";

export interface MysqlOptions {
  pool: PoolOptions;
  /** Where SELECTs of `read` run, if given, once it has applied what they must include. MariaDB only. */
  replica?: ReplicaAddress | undefined;
  /** Advanced by each commit, if there is a replica. */
  position: ReadPosition;
  /** User and password of new connections, in place of those of `pool`. */
  credentials?: Live<DatabaseCredentials> | undefined;
  /** Collation of literals and parameters. */
  collation: string;
  /** Row lock timeout, after which error 1205 is raised; rounded to whole seconds. */
  lockWaitMs: number;
  /** Time limit of a SELECT. */
  statementTimeoutMs: number;
  onStatement?: OnStatement | undefined;
}

/**
 * Kysely dialect over a `mysql2` pool, for MariaDB and MySQL. Sessions are READ COMMITTED, strict, in UTC, and use `||`
 * as in standard SQL. Integers are returned exactly; affected rows are the rows that the condition matched. The server
 * stops a SELECT of `read` when its signal is aborted (KILL QUERY, over another connection of the pool).
 */
export function createMysqlDialect(options: MysqlOptions): MysqlDialect {
  const primary = createDriver(options);
  const { driver, close, ...reads } =
    options.replica === undefined
      ? { ...primary, close: () => primary.driver.destroy() }
      : withReplica(primary, options, options.replica);
  const dialect: Dialect = {
    createDriver: () => ({ ...driver, destroy: close }),
    createQueryCompiler: () => new MysqlQueryCompiler(),
    createAdapter: () => new MysqlAdapter(),
    createIntrospector: (kysely) => new MysqlIntrospector(kysely),
  };
  const { read, replicaLagMs } = { replicaLagMs: undefined, ...reads };
  return { dialect, read, ...(replicaLagMs && { replicaLagMs }) };
}

export interface MysqlDialect {
  readonly dialect: Dialect;
  readonly read: Read;
  readonly replicaLagMs?: () => Promise<number>;
}

/** A pool of connections to one server. */
interface Opened {
  readonly driver: Driver;
  /** Reads as `prepare` left the connection; resolves with undefined if that returns false. */
  readonly readOn: ReadOn;
  readonly read: Read;
}

type ReadOn = <R>(
  query: CompiledQuery,
  signal: AbortSignal,
  prepare: (connection: MysqlConnection) => Promise<boolean>,
) => Promise<QueryResult<R> | undefined>;

function withReplica(primary: Opened, options: MysqlOptions, { host, port }: ReplicaAddress) {
  const { socketPath: _, ...pool } = options.pool;
  const address = { ...pool, host, port, connectTimeout: REPLICA_CONNECT_MS };
  const replica = createDriver({ ...options, pool: address });
  const readAfter: ReadAfter = async (query, signal, { position, waitMs }) => {
    let isReached = false;
    try {
      return await replica.readOn(query, signal, async (connection) => {
        isReached = await hasReached(connection, position, waitMs);
        return isReached;
      });
    } catch (error) {
      throw isReached || signal.aborted ? error : new ReplicaAwayError(error);
    }
  };
  const position = () => options.position.current;
  return {
    driver: primary.driver,
    read: createReplicaRead({ primary: primary.read, replica: readAfter, position, clock: systemClock }),
    replicaLagMs: () => measureLag(primary.driver, replica.driver),
    close: async () => {
      await Promise.all([primary.driver.destroy(), replica.driver.destroy()]);
    },
  };
}

/** 0 once the server has applied the position, -1 if it has not in time: https://mariadb.com/kb/en/master_gtid_wait/ */
const WAIT_FOR_POSITION = "select master_gtid_wait(?, ?) as waited";

async function hasReached(connection: MysqlConnection, position: string, waitMs: number): Promise<boolean> {
  if (position === "") {
    return true;
  }
  const { rows } = await execute<{ waited: number | null }>(
    connection,
    WAIT_FOR_POSITION,
    [position, waitMs / 1000],
    undefined,
  );
  return rows[0]?.waited === 0;
}

/** Longest lag that is measured. */
const MEASURED_MS = 1_500;

/** How long the replica needs to apply what the primary has now; infinite beyond {@link MEASURED_MS}. */
async function measureLag(primary: Driver, replica: Driver): Promise<number> {
  const positions = await onConnection(primary, (connection) =>
    execute<{ position: string }>(connection, "select @@global.gtid_binlog_pos as position", [], undefined),
  );
  const beganMs = systemClock.monotonicMs();
  const position = positions.rows[0]?.position ?? "";
  const reached = await onConnection(replica, (connection) => hasReached(connection, position, MEASURED_MS));
  return reached ? systemClock.monotonicMs() - beganMs : Number.POSITIVE_INFINITY;
}

async function onConnection<T>(driver: Driver, run: (connection: MysqlConnection) => Promise<T>): Promise<T> {
  const connection = of(await driver.acquireConnection());
  try {
    return await run(connection);
  } finally {
    await driver.releaseConnection(connection);
  }
}

const REPLICA_CONNECT_MS = 1_000;

/** MariaDB's default, and the GTID of each commit: https://mariadb.com/kb/en/session-state/ */
const TRACKED = "autocommit,character_set_client,character_set_connection,character_set_results,time_zone,last_gtid";

const SQL_MODE = [
  "STRICT_ALL_TABLES",
  "ONLY_FULL_GROUP_BY",
  "PIPES_AS_CONCAT",
  "NO_ZERO_DATE",
  "NO_ZERO_IN_DATE",
  "ERROR_FOR_DIVISION_BY_ZERO",
  "NO_ENGINE_SUBSTITUTION",
].join(",");

/** Idle time after which a stalled process loses its transaction, which bounds how long others wait for its locks. */
const IDLE_TRANSACTION_SECONDS = 5;

/** Idle time after which a connection is checked before it is used: a suspended process does not see it close. */
const CHECK_AFTER_IDLE_MS = 5_000;
const CHECK_TIMEOUT_MS = 1_000;

function createDriver(options: MysqlOptions): Opened {
  const { pool: poolOptions, collation, lockWaitMs, statementTimeoutMs, onStatement } = options;
  const pool: Pool = createPool({
    charset: "UTF8MB4_BIN",
    supportBigNumbers: true,
    timezone: "Z",
    ...poolOptions,
  });
  options.credentials?.onChange((changed) => setCredentials(pool, changed));
  const prepared = new WeakSet<PoolConnection>();
  const lockWaitSeconds = Math.max(1, Math.round(lockWaitMs / 1000));

  const prepareSession = async (raw: PoolConnection) => {
    await send(raw, "set session transaction isolation level read committed", []);
    const variables = `time_zone = '+00:00', sql_mode = '${SQL_MODE}', innodb_lock_wait_timeout = ${lockWaitSeconds}`;
    // Only MariaDB executes this comment. MySQL has no such limit: its locks are held until the session ends.
    const idle = `/*M! , idle_transaction_timeout = ${IDLE_TRANSACTION_SECONDS} */`;
    // Executed by MySQL from 5.7.8 on. MariaDB ignores comments for 5.7 and sets the limit with each SELECT.
    const timeout = `/*!50708 , max_execution_time = ${statementTimeoutMs} */`;
    await send(raw, `set session ${variables} ${idle} ${timeout}`, []);
    await send(raw, `set names utf8mb4 collate ${collation}`, []);
    if (options.replica !== undefined) {
      onCommitted.set(raw, (gtid) => options.position.advance(gtid));
      await send(raw, `set session session_track_system_variables = '${TRACKED}'`, []);
    }
    prepared.add(raw);
  };

  const fromPool = () =>
    new Promise<PoolConnection>((resolve, reject) => {
      pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)));
    });
  /** By the clock of the wall, which goes on while a process is suspended. */
  const usedAtMs = new WeakMap<PoolConnection, number>();

  const control = (connection: DatabaseConnection, sql: string) => execute(of(connection), sql, [], onStatement);

  const driver: Driver = {
    init: async () => {},
    async acquireConnection() {
      let raw = await fromPool();
      while (
        prepared.has(raw) &&
        Date.now() - (usedAtMs.get(raw) ?? 0) > CHECK_AFTER_IDLE_MS &&
        !(await answers(raw))
      ) {
        raw.destroy();
        raw = await fromPool();
      }
      if (!prepared.has(raw)) {
        try {
          await prepareSession(raw);
        } catch (error) {
          raw.destroy();
          throw error;
        }
      }
      return createMysqlConnection(raw, onStatement, statementTimeoutMs);
    },
    async releaseConnection(connection) {
      const { raw, broken } = of(connection);
      if (broken) {
        raw.destroy();
      } else {
        usedAtMs.set(raw, Date.now());
        raw.release();
      }
    },
    async beginTransaction(connection) {
      await control(connection, "begin");
    },
    async commitTransaction(connection) {
      try {
        await control(connection, "commit");
      } catch (error) {
        of(connection).broken = true;
        throw databaseErrorKind(error) === "lost" ? new CommitUnknownError(error) : error;
      }
    },
    async rollbackTransaction(connection) {
      if (!of(connection).broken) {
        // Without a response the server rolls back when the connection closes.
        await control(connection, "rollback").catch(() => {
          of(connection).broken = true;
        });
      }
    },
    async savepoint(connection, name) {
      await control(connection, `savepoint ${quoted(name)}`);
    },
    async rollbackToSavepoint(connection, name) {
      await control(connection, `rollback to savepoint ${quoted(name)}`);
    },
    async releaseSavepoint(connection, name) {
      await control(connection, `release savepoint ${quoted(name)}`);
    },
    destroy: () =>
      new Promise((resolve, reject) => {
        pool.end((error) => (error ? reject(error) : resolve()));
      }),
  };
  const readOn = createReadOn(driver);
  // Nothing is prepared, so there is always a result.
  const read: Read = async (query, signal) => (await readOn<never>(query, signal, async () => true)) ?? { rows: [] };
  return { driver, readOn, read };
}

/**
 * Changes the credentials of new connections. The pool copies this part of its configuration, which its types do not
 * show, for each connection that it opens.
 */
function setCredentials(pool: Pool, { user, password }: DatabaseCredentials): void {
  const { connectionConfig } = pool.config as { connectionConfig?: { user?: string; password?: string } };
  if (connectionConfig === undefined) {
    throw new Error("this version of mysql2 keeps the configuration of connections elsewhere");
  }
  connectionConfig.user = user;
  connectionConfig.password = password;
}

/** Whether the server responds on the connection, which it or the network may have given up unnoticed. */
async function answers(raw: PoolConnection): Promise<boolean> {
  const pinged = new Promise<boolean>((resolve) => {
    raw.ping((error) => resolve(error === null || error === undefined));
  });
  return (await within(CHECK_TIMEOUT_MS, () => pinged)) === true;
}

function createReadOn(driver: Driver): ReadOn {
  return (query, signal, prepare) =>
    onConnection(driver, async (connection) => {
      signal.throwIfAborted();
      if (!(await prepare(connection))) {
        return undefined;
      }
      let killed: Promise<unknown> | undefined;
      const kill = () => {
        // If it fails, the statement's time limit applies.
        killed = onConnection(driver, ({ raw }) => send(raw, `kill query ${connection.raw.threadId}`, [])).catch(
          () => {},
        );
      };
      signal.addEventListener("abort", kill);
      try {
        const result = await connection.executeQuery(query);
        // A late kill may hit the session's next statement.
        connection.broken ||= killed !== undefined;
        return result as never;
      } finally {
        signal.removeEventListener("abort", kill);
        await killed;
      }
    });
}

function of(connection: DatabaseConnection): MysqlConnection {
  return connection as MysqlConnection;
}

function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
