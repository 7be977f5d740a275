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
import { createCheckpointer, noCheckpoints } from "./checkpointer.ts";
import { openSqliteFile, type SqliteFile } from "./file.ts";
import { createSqliteReaders } from "./readers.ts";
import { noFlush, openWalFlush, type WalFlush } from "./wal-flush.ts";
import { createSqliteWriter, type SqliteWriter, type Turn } from "./writer.ts";

export interface SqliteOptions {
  /** A file path, or `:memory:`. */
  path: string;
  /** How long to wait for writers in other processes. */
  lockWaitMs: number;
  random: () => number;
  /** Time limit of a SELECT of `read`. */
  statementTimeoutMs: number;
  onStatement?: OnStatement | undefined;
}

/**
 * Kysely dialect over `node:sqlite`: a write-ahead log, one writing connection with group commit, and a second
 * connection for reads outside transactions, which therefore never wait for a writer and see committed data. Results
 * are returned only after their commit is flushed to disk, by `wal-flush.ts`; checkpoints run in a worker thread.
 * Resolves when the file is open. `read` runs long SELECTs on threads; those of `:memory:`, which is visible to one
 * connection only, run on that connection and are stopped only by their time limit.
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

/** Disables Kysely's own queue, because the driver schedules statements. */
class ConcurrentSqliteAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

/**
 * Routes statements outside a transaction to the right connection; those of a transaction to the writing connection.
 */
interface SqliteConnection extends DatabaseConnection {
  turn: Turn | undefined;
}

async function openDriver(options: SqliteOptions): Promise<{ driver: Driver; read: Read }> {
  const { path, lockWaitMs, random, statementTimeoutMs, onStatement } = options;
  let endAtMs = Number.POSITIVE_INFINITY;
  const file = openSqliteFile(path, { onStatement, mayContinue: () => performance.now() < endAtMs });
  await configure(file, lockWaitMs);
  const inMemory = path === ":memory:";
  const checkpointer = inMemory ? noCheckpoints : createCheckpointer(file, path);
  const flush = inMemory ? noFlush : openWalFlush(path);
  const wal: WalFlush = {
    ...flush,
    committed() {
      flush.committed();
      checkpointer.committed();
    },
  };
  const writer = createSqliteWriter(file, { lockWaitMs, random, wal });
  const openReader = () => openSqliteFile(path, { readOnly: true, onStatement });
  const reader = inMemory ? undefined : openReader();
  const readers = createSqliteReaders({ path, timeoutMs: statementTimeoutMs, onStatement });
  const state = { file, writer, reader, openReader, wal };

  const readMemory = <R>(sql: string, parameters: readonly unknown[]) =>
    writer.exclusive(() => {
      endAtMs = performance.now() + statementTimeoutMs;
      try {
        return file.query<R>(sql, parameters);
      } finally {
        endAtMs = Number.POSITIVE_INFINITY;
      }
    });
  const readFile = async <R>(sql: string, parameters: readonly unknown[], signal: AbortSignal) => {
    const result = await readers.read<R>(sql, parameters, signal);
    await wal.flushed();
    return result;
  };
  const read: Read = <R>({ sql, parameters }: CompiledQuery, signal: AbortSignal) =>
    reader ? readFile<R>(sql, parameters, signal) : readMemory<R>(sql, parameters);

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
    async savepoint(_, name) {
      file.control(`savepoint ${quoted(name)}`);
    },
    async rollbackToSavepoint(_, name) {
      file.control(`rollback to ${quoted(name)}`);
    },
    async releaseSavepoint(_, name) {
      file.control(`release ${quoted(name)}`);
    },
    async destroy() {
      await writer.close();
      await readers.close();
      await checkpointer.close();
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
  wal: WalFlush;
}

function createConnection({ file, writer, reader, openReader, wal }: DriverState): SqliteConnection {
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
        if (reader === undefined) {
          return writer.exclusive(() => file.query<R>(sql, parameters));
        }
        const result = reader.query<R>(sql, parameters);
        // A commit is visible before it is flushed; a power failure could revert what the caller has seen.
        await wal.flushed();
        return result;
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
            await wal.flushed();
            yield { rows };
            rows = [];
          }
        }
        if (rows.length > 0) {
          await wal.flushed();
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

/** Two processes that open a new file at once may conflict in the switch to the write-ahead log. */
async function configure(file: SqliteFile, lockWaitMs: number): Promise<void> {
  const deadlineMs = performance.now() + lockWaitMs;
  for (;;) {
    try {
      file.control("pragma journal_mode = wal");
      file.control("pragma synchronous = normal");
      // Overwrites deleted content with zeros.
      file.control("pragma secure_delete = on");
      file.control("pragma journal_size_limit = 67108864");
      // The log of a previous process may not be on disk if its last flush failed. The checkpoint makes it durable.
      file.control("pragma wal_checkpoint(truncate)");
      file.control("pragma wal_autocheckpoint = 0");
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
