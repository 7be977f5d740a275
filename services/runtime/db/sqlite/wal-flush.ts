import fs from "node:fs";
import { promisify } from "node:util";

/**
 * Makes the commits of a SQLite file durable without blocking the event loop. With `synchronous=NORMAL`, COMMIT only
 * writes to the write-ahead log; `fdatasync` of the log in libuv's thread pool then does what `synchronous=FULL` does
 * inside COMMIT (https://www.sqlite.org/pragma.html#pragma_synchronous). One flush covers all commits before it began.
 * Neither written nor read data may leave the process before `flushed` resolves. Only another process that reads the
 * same file can see a commit before it is flushed.
 */
export interface WalFlush {
  /** Records a commit. Must be called in the same turn of the event loop as COMMIT. */
  committed(): void;
  /** Resolves when everything recorded before the call is on disk, immediately if it is. */
  flushed(): Promise<void>;
  /** Waits for the last flush. */
  close(): Promise<void>;
}

/** For `:memory:`. */
export const noFlush: WalFlush = { committed: () => {}, flushed: async () => {}, close: async () => {} };

/**
 * Opens the flush of a file's write-ahead log. The log itself is opened on the first flush, because SQLite creates it
 * on the first write; it exists while the file is open. Closing it releases no lock: those are on the file and its
 * `-shm`.
 */
export function openWalFlush(path: string): WalFlush {
  const walPath = `${path}-wal`;
  // Resolved on each call, so that a test can replace it.
  const fdatasync = promisify((fd: number, done: fs.NoParamCallback) => fs.fdatasync(fd, done));
  let fd: number | undefined;
  let dirty = false;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  const start = (): Promise<void> => {
    dirty = false;
    next = undefined;
    running = flush().then(() => {
      running = undefined;
    });
    return running;
  };

  const flush = async () => {
    try {
      fd ??= fs.openSync(walPath, "r+");
      await fdatasync(fd);
    } catch (error) {
      endProcess(walPath, error);
      // Never resolves: unflushed data must not be reported as durable, even while the process exits.
      await new Promise(() => {});
    }
  };

  const flushed = async (): Promise<void> => {
    if (dirty && running === undefined) {
      await start();
    } else if (dirty) {
      next ??= running?.then(start);
      await next;
    } else {
      await running;
    }
  };

  return {
    committed() {
      dirty = true;
    },
    flushed,
    async close() {
      await flushed();
      if (fd !== undefined) {
        fs.closeSync(fd);
        fd = undefined;
      }
    },
  };
}

/**
 * Ends the process after a failed flush. A retry could succeed without having written anything: Linux reports a failed
 * write-back once and marks the pages clean (https://wiki.postgresql.org/wiki/Fsync_Errors, and Rebello et al., "Can
 * Applications Recover from fsync Failures?", USENIX ATC 2020). The next process reads the log, and checkpoints it
 * before it relies on it.
 */
export function endProcess(path: string, error: unknown): void {
  const reason = Error.isError(error) ? error.message : String(error);
  fs.writeSync(
    2,
    `Flushing ${path} to the disk failed: ${reason}. The process ends, because nothing written since can be trusted to be durable. Check the disk, then start it again.\n`,
  );
  process.exit(1);
}
