import {
  type DatabaseConnection,
  type Dialect,
  type Driver,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
} from "kysely";
import { createPool, type Pool, type PoolConnection, type PoolOptions } from "mysql2";
import type { Live } from "../../config/live.ts";
import type { DatabaseCredentials } from "../credentials.ts";
import { CommitUnknownError, databaseErrorKind } from "../errors.ts";
import type { Read } from "../reading.ts";
import type { OnStatement } from "../statement.ts";
import { createMysqlConnection, execute, type MysqlConnection, send } from "./connection.ts";

export interface MysqlOptions {
  pool: PoolOptions;
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
export function createMysqlDialect(options: MysqlOptions): { dialect: Dialect; read: Read } {
  const { driver, read } = createDriver(options);
  const dialect: Dialect = {
    createDriver: () => driver,
    createQueryCompiler: () => new MysqlQueryCompiler(),
    createAdapter: () => new MysqlAdapter(),
    createIntrospector: (kysely) => new MysqlIntrospector(kysely),
  };
  return { dialect, read };
}

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

function createDriver(options: MysqlOptions): { driver: Driver; read: Read } {
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
    prepared.add(raw);
  };

  const control = (connection: DatabaseConnection, sql: string) => execute(of(connection), sql, [], onStatement);

  const driver: Driver = {
    init: async () => {},
    async acquireConnection() {
      const raw = await new Promise<PoolConnection>((resolve, reject) => {
        pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)));
      });
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
  return { driver, read: createRead(driver) };
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

function createRead(driver: Driver): Read {
  const onConnection = async <T>(run: (connection: MysqlConnection) => Promise<T>): Promise<T> => {
    const connection = of(await driver.acquireConnection());
    try {
      return await run(connection);
    } finally {
      await driver.releaseConnection(connection);
    }
  };
  return (query, signal) =>
    onConnection(async (connection) => {
      signal.throwIfAborted();
      let killed: Promise<unknown> | undefined;
      const kill = () => {
        // If it fails, the statement's time limit applies.
        killed = onConnection(({ raw }) => send(raw, `kill query ${connection.raw.threadId}`, [])).catch(() => {});
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
