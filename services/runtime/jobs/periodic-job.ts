import { setImmediate as turn } from "node:timers/promises";
import type { Logger } from "../telemetry/log.ts";

export interface PeriodicWork {
  /** For the log. */
  readonly name: string;
  readonly log: Logger;
  readonly everyMs: number;
  /** Does a part of what is due, and tells whether there is more. What it throws is logged; the next time comes anyway. */
  readonly work: () => Promise<boolean>;
}

/**
 * Does housekeeping now and then, never twice at once in this process, in small parts, so that a database that serves
 * callers is not held up. It keeps no process alive. Disposing it waits for the part that is being done.
 */
export function periodically({ name, log, everyMs, work }: PeriodicWork): AsyncDisposable {
  let stopped = false;
  let running: Promise<void> | undefined;

  const run = async () => {
    try {
      // Others get their turn between two parts, also where the work itself never waits, as on SQLite.
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
