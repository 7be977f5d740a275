import { setTimeout as sleep } from "node:timers/promises";
import { databaseErrorKind } from "../errors.ts";
import type { SqliteFile } from "./file.ts";
import type { WalFlush } from "./wal-flush.ts";

/**
 * The one writing connection of a SQLite file, shared by group commit: transactions run one after another, each inside a
 * savepoint of one SQLite transaction, and one COMMIT serves all that ended in the same turn of the event loop. No outcome
 * is reported before that COMMIT is flushed to the disk; the next transactions may run meanwhile.
 */
export interface SqliteWriter {
  /** Waits until it is this transaction's turn, and for writers of other processes. */
  begin(): Promise<Turn>;
  /** Runs something outside any transaction, alone; for what SQLite refuses inside one, such as VACUUM. */
  exclusive<T>(run: () => T): Promise<T>;
  /** Waits until everything begun is on the disk, then refuses what comes. */
  close(): Promise<void>;
}

/** A transaction's time on the connection. The first commit or rollback that succeeds ends it. */
export interface Turn {
  /** Resolves when the effects are on the disk. */
  commit(): Promise<void>;
  /** Undoes this transaction alone. Does nothing after the end of the turn. */
  rollback(): Promise<void>;
}

/** How many transactions share one COMMIT at most, so that the first does not wait for long. */
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
  /** How long to wait for a writer in another process before the busy error is thrown. */
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

  /** Somebody's turn does not end: whoever waits is told, and may be the reason himself. */
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

  /** Commits what the batch holds; never in the middle of somebody's turn. */
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
    // After everything that is ready in this turn of the event loop has had its chance to join.
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

/** The busy wait is ours, as SQLite's own would stop the event loop. */
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
