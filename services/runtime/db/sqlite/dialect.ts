import { setTimeout as sleep } from "node:timers/promises";
import {
  type CompiledQuery,
  type DatabaseConnection,
  DeleteQueryNode,
  type Dialect,
  type Driver,
  InsertQueryNode,
  type QueryResult,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  UpdateQueryNode,
} from "kysely";
import { databaseErrorKind } from "../errors.ts";
import type { Read } from "../reading.ts";
import type { OnStatement } from "../statement.ts";
import { openSqliteFile, type SqliteFile } from "./file.ts";
import { createSqliteReaders } from "./readers.ts";
import { createSqliteWriter, type SqliteWriter, type Turn } from "./writer.ts";

export interface SqliteOptions {
  /** A file's path, or `:memory:`. */
  path: string;
  /** How long to wait for a writer in another process. */
  lockWaitMs: number;
  random: () => number;
  /** How long a SELECT of `read` may take. */
  statementTimeoutMs: number;
  onStatement?: OnStatement | undefined;
}

/**
 * Kysely's dialect over `node:sqlite`: write-ahead log, every commit flushed to the disk (`synchronous=FULL`), one writing
 * connection with group commit, and a second connection for reads outside transactions, which so wait for nobody and
 * see what is committed. Resolves when the file is open. `read` runs SELECTs that may be long, on threads; those of
 * `:memory:`, which one connection alone can see, on that connection, where only time can end them.
 */
export async function openSqliteDialect(options: SqliteOptions): Promise<{ dialect: Dialect; read: Read }> {
  const { driver, read } = await openDriver(options);
  const dialect: Dialect = {
    createDriver: () => driver,
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new ConcurrentSqliteAdapter(),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
  };
  return { dialect, read };
}

/** Kysely must not queue what the driver sorts out itself. */
class ConcurrentSqliteAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

/** Statements outside a transaction go where they belong; those of a transaction to the writing connection. */
interface SqliteConnection extends DatabaseConnection {
  turn: Turn | undefined;
}

async function openDriver(options: SqliteOptions): Promise<{ driver: Driver; read: Read }> {
  const { path, lockWaitMs, random, statementTimeoutMs, onStatement } = options;
  let endAtMs = Number.POSITIVE_INFINITY;
  const file = openSqliteFile(path, { onStatement, mayContinue: () => performance.now() < endAtMs });
  await configure(file, lockWaitMs);
  const writer = createSqliteWriter(file, { lockWaitMs, random });
  const openReader = () => openSqliteFile(path, { readOnly: true, onStatement });
  const reader = path === ":memory:" ? undefined : openReader();
  const readers = createSqliteReaders({ path, timeoutMs: statementTimeoutMs, onStatement });
  const state = { file, writer, reader, openReader };

  const readMemory = <R>(sql: string, parameters: readonly unknown[]) =>
    writer.exclusive(() => {
      endAtMs = performance.now() + statementTimeoutMs;
      try {
        return file.query<R>(sql, parameters);
      } finally {
        endAtMs = Number.POSITIVE_INFINITY;
      }
    });
  const read: Read = <R>({ sql, parameters }: CompiledQuery, signal: AbortSignal) =>
    reader ? readers.read<R>(sql, parameters, signal) : readMemory<R>(sql, parameters);

  const driver: Driver = {
    init: async () => {},
    acquireConnection: async () => createConnection(state),
    releaseConnection: async () => {},
    async beginTransaction(connection) {
      of(connection).turn = await writer.begin();
    },
    async commitTransaction(connection) {
      await of(connection).turn?.commit();
      of(connection).turn = undefined;
    },
    async rollbackTransaction(connection) {
      await of(connection).turn?.rollback();
      of(connection).turn = undefined;
    },
    savepoint: async (_, name) => file.control(`savepoint ${quoted(name)}`),
    rollbackToSavepoint: async (_, name) => file.control(`rollback to ${quoted(name)}`),
    releaseSavepoint: async (_, name) => file.control(`release ${quoted(name)}`),
    async destroy() {
      await writer.close();
      await readers.close();
      reader?.close();
      file.close();
    },
  };
  return { driver, read };
}

interface DriverState {
  file: SqliteFile;
  writer: SqliteWriter;
  reader: SqliteFile | undefined;
  openReader: () => SqliteFile;
}

function createConnection({ file, writer, reader, openReader }: DriverState): SqliteConnection {
  return {
    turn: undefined,
    async executeQuery<R>({ sql, parameters, query }: CompiledQuery): Promise<QueryResult<R>> {
      if (this.turn) {
        if (!file.inTransaction) {
          throw new Error("SQLite has rolled this transaction back");
        }
        return file.query<R>(sql, parameters);
      }
      if (SelectQueryNode.is(query) || /^\s*select\b/i.test(sql)) {
        return reader ? reader.query<R>(sql, parameters) : writer.exclusive(() => file.query<R>(sql, parameters));
      }
      if (InsertQueryNode.is(query) || UpdateQueryNode.is(query) || DeleteQueryNode.is(query)) {
        return inTurn(writer, () => file.query<R>(sql, parameters));
      }
      return writer.exclusive(() => file.query<R>(sql, parameters));
    },
    async *streamQuery<R>(
      { sql, parameters }: CompiledQuery,
      chunkSize: number,
    ): AsyncIterableIterator<QueryResult<R>> {
      const own = this.turn || !reader ? undefined : openReader();
      try {
        let rows: R[] = [];
        for (const row of (own ?? file).rows<R>(sql, parameters)) {
          if (rows.push(row) >= chunkSize) {
            yield { rows };
            rows = [];
          }
        }
        if (rows.length > 0) {
          yield { rows };
        }
      } finally {
        own?.close();
      }
    },
  };
}

async function inTurn<T>(writer: SqliteWriter, run: () => T): Promise<T> {
  const turn = await writer.begin();
  try {
    const result = run();
    await turn.commit();
    return result;
  } catch (error) {
    await turn.rollback();
    throw error;
  }
}

/** Two processes that open a new file at once may meet at the switch to the write-ahead log. */
async function configure(file: SqliteFile, lockWaitMs: number): Promise<void> {
  const deadlineMs = performance.now() + lockWaitMs;
  for (;;) {
    try {
      file.control("pragma journal_mode = wal");
      file.control("pragma synchronous = full");
      // What is deleted or overwritten is not left behind in the file.
      file.control("pragma secure_delete = on");
      file.control("pragma journal_size_limit = 67108864");
      return;
    } catch (error) {
      if (databaseErrorKind(error) !== "conflict" || performance.now() >= deadlineMs) {
        file.close();
        throw error;
      }
    }
    await sleep(10);
  }
}

function of(connection: DatabaseConnection): SqliteConnection {
  return connection as SqliteConnection;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
