import fs from "node:fs";
import { promisify } from "node:util";

/**
 * Makes the commits of a SQLite file durable without holding the event loop. With `synchronous=NORMAL` COMMIT only writes
 * to the write-ahead log; `fdatasync` of the log in libuv's thread pool then does what `synchronous=FULL` does inside of
 * COMMIT (https://www.sqlite.org/pragma.html#pragma_synchronous). One flush serves all commits before it began.
 *
 * What a transaction wrote, and what a read saw, must not leave the process before `flushed` resolves. Only another process
 * that reads the same file can see a commit before it is flushed.
 */
export interface WalFlush {
  /** Records that something was committed. To be called in the same turn of the event loop as COMMIT. */
  committed(): void;
  /** Resolves when everything that was recorded before the call is on the disk; at once where that is so already. */
  flushed(): Promise<void>;
  /** Waits for the last flush. */
  close(): Promise<void>;
}

/** For `:memory:`, which has no disk. */
export const noFlush: WalFlush = { committed: () => {}, flushed: async () => {}, close: async () => {} };

/**
 * Opens the flush of a file's write-ahead log. The log is opened with the first flush, as SQLite creates it with the first
 * write and keeps it while the file is open. Closing it releases no lock: those are on the file and its `-shm`.
 */
export function openWalFlush(path: string): WalFlush {
  const walPath = `${path}-wal`;
  // Looked up with each call, so that a test can put its own in the way.
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
      // Nobody may take what was not flushed for durable, also while the process ends.
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
 * Ends the process after a flush that failed. It is not repeated, because the second one may succeed without having
 * written anything: Linux reports a failed write-back once and marks the pages clean
 * (https://wiki.postgresql.org/wiki/Fsync_Errors, and Rebello et al., "Can Applications Recover from fsync Failures?",
 * USENIX ATC 2020). The next process reads the log, and checkpoints it before it relies on it.
 */
export function endProcess(path: string, error: unknown): void {
  const reason = Error.isError(error) ? error.message : String(error);
  fs.writeSync(
    2,
    `Flushing ${path} to the disk failed: ${reason}. The process ends, because nothing written since can be trusted to be durable. Check the disk, then start it again.\n`,
  );
  process.exit(1);
}
