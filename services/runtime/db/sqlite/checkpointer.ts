import { Worker } from "node:worker_threads";
import type { SqliteFile } from "./file.ts";
import { endProcess } from "./wal-flush.ts";

/**
 * Checkpoints a SQLite file's write-ahead log in a worker thread. A checkpoint flushes twice; inside COMMIT, SQLite's
 * default, it would block the event loop.
 */
export interface Checkpointer {
  /** Counts a commit, and starts a checkpoint if the log is long. */
  committed(): void;
  /** Waits for a running checkpoint, and closes the worker's connection to the file. */
  close(): Promise<void>;
}

export const noCheckpoints: Checkpointer = { committed: () => {}, close: async () => {} };

/** Checking the log's length takes microseconds, but need not happen on each commit. */
const COMMITS_BETWEEN_LOOKS = 32;
/** Pages of 4 KiB in the log that are not in the file yet; SQLite's own default. */
const FRAMES_TO_CHECKPOINT = 1000;
/**
 * Under constant writes SQLite never restarts the log from its beginning. Beyond this length writers wait for the rest
 * of the checkpoint, some milliseconds, and the log is restarted.
 */
const FRAMES_TO_RESTART = 4000;

export function createCheckpointer(file: SqliteFile, path: string): Checkpointer {
  let commits = 0;
  let running: Promise<unknown> | undefined;

  const checkpoint = async (restart: boolean) => {
    await askWorker(path, "pragma wal_checkpoint(passive)");
    if (restart) {
      await askWorker(path, "pragma wal_checkpoint(restart)");
    }
  };

  return {
    committed() {
      commits += 1;
      if (commits % COMMITS_BETWEEN_LOOKS !== 0 || running !== undefined) {
        return;
      }
      const { frames, unsaved } = lookAtLog(file);
      if (unsaved >= FRAMES_TO_CHECKPOINT) {
        running = checkpoint(frames >= FRAMES_TO_RESTART).finally(() => {
          running = undefined;
        });
      }
    },
    async close() {
      await running;
      if (worker !== undefined) {
        await askWorker(path, "");
      }
    },
  };
}

/** Reads the length of the log and its uncheckpointed part. Zero if the file is busy. */
function lookAtLog(file: SqliteFile): { frames: number; unsaved: number } {
  try {
    // NOOP only reports. SQLite before 3.51 does not support it and runs a passive checkpoint synchronously.
    const { log, checkpointed } = file.control("pragma wal_checkpoint(noop)") ?? {};
    return { frames: Number(log), unsaved: Number(log) - Number(checkpointed) };
  } catch {
    return { frames: 0, unsaved: 0 };
  }
}

/**
 * The worker's program, as text, so that it also works in a single-file bundle. It keeps a connection to each file,
 * waits at most 50 ms for writers and readers, and closes the connection on a message without a statement.
 */
const PROGRAM = `
const { parentPort } = require("node:worker_threads");
const { DatabaseSync } = require("node:sqlite");
const files = new Map();
parentPort.on("message", ({ id, path, sql }) => {
  try {
    if (sql === "") {
      files.get(path)?.close();
      files.delete(path);
    } else {
      if (!files.has(path)) {
        files.set(path, new DatabaseSync(path, { timeout: 50 }));
        files.get(path).exec("pragma synchronous = normal; pragma wal_autocheckpoint = 0");
      }
      files.get(path).prepare(sql).get();
    }
    parentPort.postMessage({ id });
  } catch ({ message, errcode }) {
    parentPort.postMessage({ id, error: message, errcode });
  }
});`;

/** https://www.sqlite.org/rescode.html#ioerr */
const SQLITE_IOERR = 10;

interface Answer {
  readonly id: number;
  readonly error?: string;
  readonly errcode?: number;
}

/** Shared by all files of the process, started with the first checkpoint. */
let worker: Worker | undefined;
let lastId = 0;
const asked = new Map<number, (answer: Answer) => void>();

/** Resolves when the worker has tried to run the statement. On failure the next checkpoint makes up for it. */
async function askWorker(path: string, sql: string): Promise<void> {
  worker ??= startWorker();
  lastId += 1;
  const id = lastId;
  const answered = new Promise<Answer>((resolve) => asked.set(id, resolve));
  // The worker keeps the process alive only while a request is pending.
  worker.ref();
  worker.postMessage({ id, path, sql });
  const { error, errcode = 0 } = await answered;
  asked.delete(id);
  if (asked.size === 0) {
    worker?.unref();
  }
  if ((errcode & 0xff) === SQLITE_IOERR) {
    endProcess(path, new Error(error));
  }
}

function startWorker(): Worker {
  const started = new Worker(PROGRAM, { eval: true });
  started.on("message", (answer: Answer) => asked.get(answer.id)?.(answer));
  started.on("error", () => {
    worker = undefined;
    for (const [id, answer] of asked) {
      answer({ id });
    }
  });
  return started;
}
