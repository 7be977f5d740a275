import { setTimeout as sleep } from "node:timers/promises";
import { databaseErrorKind } from "../errors.ts";
import type { SqliteFile } from "./file.ts";
import type { WalFlush } from "./wal-flush.ts";

/**
 * The single writing connection of a SQLite file, with group commit: transactions run in sequence, each inside a
 * savepoint of one SQLite transaction, and one COMMIT covers all that ended in the same turn of the event loop. An
 * outcome is reported only after its COMMIT is flushed to disk; later transactions may run meanwhile.
 */
export interface SqliteWriter {
  /** Waits for this transaction's turn, and for writers of other processes. */
  begin(): Promise<Turn>;
  /** Runs a function outside any transaction, exclusively; for what SQLite rejects inside one, such as VACUUM. */
  exclusive<T>(run: () => T): Promise<T>;
  /** Waits until all begun transactions are on disk, then rejects new ones. */
  close(): Promise<void>;
}

/** A transaction's turn on the connection. The first successful commit or rollback ends it. */
export interface Turn {
  /** Resolves when the effects are on disk. */
  commit(): Promise<void>;
  /** Undoes this transaction only. A no-op after the end of the turn. */
  rollback(): Promise<void>;
}

/** Most transactions that share one COMMIT, which bounds the wait of the first. */
const MAX_BATCH = 64;
const BUSY_WAIT_MS = { first: 1, most: 25 };

const STUCK =
  "a transaction did not end in time: it awaits something else than the database, or db.transaction was called inside it";

interface Batch {
  size: number;
  outcome: Promise<void>;
  succeed(): void;
  fail(error: unknown): void;
}

export interface SqliteWriterOptions {
  /** How long to wait for writers in other processes before the busy error is thrown. */
  lockWaitMs: number;
  random: () => number;
  wal: WalFlush;
}

export function createSqliteWriter(file: SqliteFile, options: SqliteWriterOptions): SqliteWriter {
  const { wal } = options;
  const waiting: { resolve(): void; reject(error: Error): void }[] = [];
  let held = false;
  let closed = false;
  let batch: Batch | undefined;
  let commitDue = false;
  let stuck: NodeJS.Timeout | undefined;
  /** A turn may begin with a wait for another process. */
  const patienceMs = 2 * options.lockWaitMs;

  const lock = () => {
    if (closed) {
      return Promise.reject(new Error("the database is closed"));
    }
    if (!held) {
      held = true;
      return Promise.resolve();
    }
    stuck ??= setTimeout(giveUp, patienceMs);
    return new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
  };

  /**
   * Watchdog: a transaction has held the writer for too long. Fails all waiters, because one of them may be nested
   * inside it (a deadlock).
   */
  const giveUp = () => {
    for (const waiter of waiting.splice(0)) {
      waiter.reject(new Error(STUCK));
    }
  };

  const unlock = () => {
    clearTimeout(stuck);
    const next = waiting.shift();
    stuck = waiting.length > 0 ? setTimeout(giveUp, patienceMs) : undefined;
    if (next) {
      next.resolve();
    } else {
      held = false;
    }
  };

  const settle = (finish: (batch: Batch) => void) => {
    const settled = batch;
    batch = undefined;
    commitDue = false;
    if (settled) {
      finish(settled);
    }
  };

  /** Commits the batch, between turns only. */
  const flush = () => {
    if (!batch) {
      return;
    }
    try {
      file.query("commit");
      wal.committed();
      settle((it) => void wal.flushed().then(it.succeed));
    } catch (error) {
      if (file.inTransaction) {
        file.control("rollback");
      }
      settle((it) => it.fail(error));
    }
  };

  const openBatch = async () => {
    await beginImmediate(file, options);
    const opened = createBatch();
    batch = opened;
    // Runs after everything that is ready in this turn of the event loop could join.
    setImmediate(() => {
      if (batch === opened) {
        commitDue = true;
        if (!held) {
          flush();
        }
      }
    });
  };

  const endTurn = async () => {
    const mine = batch;
    if (mine) {
      mine.size += 1;
      if (commitDue || mine.size >= MAX_BATCH) {
        flush();
      }
    }
    unlock();
    await mine?.outcome;
  };

  const createTurn = (): Turn => {
    let ended = false;
    return {
      async commit() {
        file.control("release docket");
        ended = true;
        await endTurn();
      },
      async rollback() {
        if (ended) {
          return;
        }
        ended = true;
        if (file.inTransaction) {
          file.control("rollback to docket");
          file.control("release docket");
        } else {
          settle((it) =>
            it.fail(new Error("SQLite has rolled back the transaction that this one shared a COMMIT with")),
          );
        }
        await endTurn().catch(() => {});
      },
    };
  };

  return {
    async begin() {
      await lock();
      try {
        if (!batch) {
          await openBatch();
        }
        file.control("savepoint docket");
        return createTurn();
      } catch (error) {
        unlock();
        throw error;
      }
    },
    async exclusive(run) {
      await lock();
      try {
        flush();
        const result = run();
        wal.committed();
        await wal.flushed();
        return result;
      } finally {
        unlock();
      }
    },
    async close() {
      await lock();
      closed = true;
      flush();
      unlock();
      await wal.close();
    },
  };
}

/** The busy wait is implemented here, because SQLite's own would block the event loop. */
async function beginImmediate(file: SqliteFile, options: { lockWaitMs: number; random: () => number }): Promise<void> {
  const deadlineMs = performance.now() + options.lockWaitMs;
  for (let waitMs = BUSY_WAIT_MS.first; ; waitMs = Math.min(waitMs * 2, BUSY_WAIT_MS.most)) {
    try {
      file.query("begin immediate");
      return;
    } catch (error) {
      if (databaseErrorKind(error) !== "conflict" || performance.now() >= deadlineMs) {
        throw error;
      }
    }
    await sleep(waitMs * options.random());
  }
}

function createBatch(): Batch {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {});
  return { size: 0, outcome: promise, succeed: resolve, fail: reject };
}
