import { Worker } from "node:worker_threads";
import type { QueryResult } from "kysely";
import { statementTimeout } from "../errors.ts";
import { type OnStatement, toBindValue } from "../statement.ts";
import type { ReaderData, ReadRequest, ReadResponse } from "./reader-thread.ts";

/**
 * Threads that read a SQLite file, one connection each, so that a long SELECT blocks no other work of the process. A
 * thread is started when none is idle, and kept. A statement is aborted at its time limit or by its signal, on the next
 * row that it scans; see `continueCondition`.
 */
export interface SqliteReaders {
  /**
   * Runs a SELECT on the committed data. Settles when its thread is free again: rejects with the signal's reason, with
   * an error of kind `timeout`, or with SQLite's.
   */
  read<R>(sql: string, parameters: readonly unknown[], signal: AbortSignal): Promise<QueryResult<R>>;
  /** Aborts running statements and ends all threads. */
  close(): Promise<void>;
}

interface Thread {
  readonly worker: Worker;
  readonly stop: Int32Array;
  /** Id of the last statement. */
  id: number;
  /** Settles the running statement. */
  settle: ((response: ReadResponse | Error) => void) | undefined;
}

export function createSqliteReaders(options: {
  readonly path: string;
  readonly timeoutMs: number;
  readonly onStatement: OnStatement | undefined;
}): SqliteReaders {
  const { path, timeoutMs, onStatement } = options;
  const threads = new Set<Thread>();
  const idle: Thread[] = [];
  let closed = false;

  const start = (): Thread => {
    const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const worker = new Worker(new URL("./reader-thread.ts", import.meta.url), {
      name: "sqlite-reader",
      workerData: { path, stop } satisfies ReaderData,
    });
    const thread: Thread = { worker, stop, id: 0, settle: undefined };
    const end = (error: Error) => {
      threads.delete(thread);
      const at = idle.indexOf(thread);
      if (at >= 0) {
        idle.splice(at, 1);
      }
      thread.settle?.(error);
    };
    worker.on("message", (response: ReadResponse) => {
      idle.push(thread);
      thread.settle?.(response);
    });
    worker.on("error", (error) => end(error as Error));
    worker.on("exit", () => end(new Error(closed ? "the database is closed" : "a reading thread ended unexpectedly")));
    // An idle thread does not keep the process alive; a statement's timer does.
    worker.unref();
    threads.add(thread);
    return thread;
  };

  const run = (sql: string, parameters: readonly unknown[], signal: AbortSignal): Promise<QueryResult<never>> => {
    const thread = idle.pop() ?? start();
    thread.id += 1;
    const { id } = thread;
    return new Promise((resolve, reject) => {
      let reason: unknown;
      const stop = (why: unknown) => {
        reason ??= why;
        Atomics.store(thread.stop, 0, id);
      };
      const onAbort = () => stop(signal.reason);
      const timer = setTimeout(() => stop(statementTimeout()), timeoutMs);
      signal.addEventListener("abort", onAbort);
      thread.settle = (response) => {
        thread.settle = undefined;
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        if (response instanceof Error) {
          reject(response);
        } else if ("failure" in response) {
          reject(reason ?? Object.assign(new Error(response.failure.message), response.failure));
        } else {
          resolve({ rows: toObjects(response.table) as never[] });
        }
      };
      thread.worker.postMessage({ id, sql, parameters: parameters.map(toBindValue) } satisfies ReadRequest);
    });
  };

  return {
    async read(sql, parameters, signal) {
      if (closed) {
        throw new Error("the database is closed");
      }
      signal.throwIfAborted();
      const startedMs = performance.now();
      try {
        const result = await run(sql, parameters, signal);
        onStatement?.({ sql, parameters, durationMs: performance.now() - startedMs });
        return result;
      } catch (error) {
        onStatement?.({ sql, parameters, durationMs: performance.now() - startedMs, error });
        throw error;
      }
    },
    async close() {
      closed = true;
      await Promise.all(
        [...threads].map(({ worker, stop, id }) => {
          // A thread is only ended between statements.
          Atomics.store(stop, 0, id);
          return worker.terminate();
        }),
      );
    },
  };
}

function toObjects({ columns, rows }: Extract<ReadResponse, { table: unknown }>["table"]): object[] {
  return rows.map((row) => {
    const object: Record<string, unknown> = {};
    columns.forEach((column, i) => {
      object[column] = row[i];
    });
    return object;
  });
}
