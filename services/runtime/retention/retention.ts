import { setImmediate as turn } from "node:timers/promises";
import { periodically } from "../jobs/periodic-job.ts";
import type { Logger } from "../telemetry/log.ts";

/** How long the rows of one table are kept. A service declares one for each table that grows. */
export interface RetentionRule {
  /** The table's name, for the log. */
  readonly table: string;
  /** In milliseconds; undefined for rows that are kept for ever. */
  readonly keptMs: number | undefined;
  /**
   * Deletes the oldest rows that are older than `keptMs`, at most about {@link RETENTION_BATCH}. Returns whether there may
   * be more. Safe to run in several processes at once.
   */
  prune(keptMs: number): Promise<boolean>;
}

/** How many rows one statement deletes at the most, so that it holds no lock for long. */
export const RETENTION_BATCH = 1_000;

/**
 * Deletes what is older than its table's rule, table by table, in small parts, now and then. A table that fails is logged
 * and tried again the next time; the others are not held up. Disposing it waits for the part that is being done.
 */
export function startRetention({
  rules,
  log,
  everyMs,
}: {
  readonly rules: readonly RetentionRule[];
  readonly log: Logger;
  readonly everyMs: number;
}): AsyncDisposable {
  let stopped = false;
  const job = periodically({
    name: "retention",
    log,
    everyMs,
    async work() {
      for (const { table, keptMs, prune } of rules) {
        try {
          while (!stopped && keptMs !== undefined && (await prune(keptMs))) {
            // Others get their turn between two parts, also where a database never waits, as SQLite.
            await turn();
          }
        } catch (error) {
          log.warn({ err: error, table }, "old rows could not be deleted");
        }
      }
      return false;
    },
  });
  return {
    async [Symbol.asyncDispose]() {
      stopped = true;
      await job[Symbol.asyncDispose]();
    },
  };
}
