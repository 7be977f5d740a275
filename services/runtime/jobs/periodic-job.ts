import { setImmediate as turn } from "node:timers/promises";
import type { Logger } from "../telemetry/log.ts";
import type { Job } from "./job.ts";
import type { BackgroundWork } from "./job-table.ts";

export interface PeriodicJobOptions {
  /** For the log. */
  readonly name: string;
  readonly log: Logger;
  readonly everyMs: number;
  /**
   * Processes a part of what is due; returns whether there is more. Exceptions are logged, and the next run is
   * unaffected.
   */
  readonly work: (signal: AbortSignal) => Promise<boolean>;
}

/**
 * Creates a job that runs periodically, without overlap in this process, in small parts, so that it does not block a
 * database that serves callers. Does not keep the process alive. Draining it waits for the current part.
 */
export function createPeriodicJob({ name, log, everyMs, work }: PeriodicJobOptions): BackgroundWork {
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  const runDue: Job = async (given) => {
    const signal = AbortSignal.any([given, stop.signal]);
    let any = false;
    // Yields between parts, because the work may be synchronous, as on SQLite.
    while (!signal.aborted && (await work(signal))) {
      any = true;
      await turn();
    }
    return any;
  };
  const run = async () => {
    try {
      await runDue(stop.signal);
    } catch (error) {
      log.warn({ err: error, work: name }, "periodic work failed");
    }
  };
  const drain = async () => {
    stop.abort();
    clearInterval(timer);
    await running;
  };

  return {
    everyMs,
    start() {
      timer ??= setInterval(() => {
        running ??= run().finally(() => {
          running = undefined;
        });
      }, everyMs).unref();
    },
    runDue,
    drain,
    [Symbol.asyncDispose]: drain,
  };
}
