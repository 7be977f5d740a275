import { setImmediate as turn } from "node:timers/promises";
import type { Logger } from "../telemetry/log.ts";

export interface PeriodicWork {
  /** For the log. */
  readonly name: string;
  readonly log: Logger;
  readonly everyMs: number;
  /**
   * Processes a part of what is due; returns whether there is more. Exceptions are logged, and the next run is
   * unaffected.
   */
  readonly work: () => Promise<boolean>;
}

/**
 * Runs a job periodically, without overlap in this process, in small parts, so that it does not block a database that
 * serves callers. Does not keep the process alive. Disposing it waits for the current part.
 */
export function periodically({ name, log, everyMs, work }: PeriodicWork): AsyncDisposable {
  let stopped = false;
  let running: Promise<void> | undefined;

  const run = async () => {
    try {
      // Yields between parts, because the work may be synchronous, as on SQLite.
      while (!stopped && (await work())) {
        await turn();
      }
    } catch (error) {
      log.warn({ err: error, work: name }, "periodic work failed");
    }
  };
  const timer = setInterval(() => {
    running ??= run().finally(() => {
      running = undefined;
    });
  }, everyMs);
  timer.unref();

  return {
    async [Symbol.asyncDispose]() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
