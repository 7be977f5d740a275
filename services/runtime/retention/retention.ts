import { setImmediate as turn } from "node:timers/promises";
import type { JobRow } from "../jobs/job-table.ts";
import { createPeriodicJob } from "../jobs/periodic-job.ts";
import type { Logger } from "../telemetry/log.ts";

/** Retention of the rows of one table. A service declares a rule for each table that grows. */
export interface RetentionRule {
  /** Table name, for the log. */
  readonly table: string;
  /** In milliseconds; undefined to keep rows forever. */
  readonly keptMs: number | undefined;
  /**
   * Deletes the oldest rows beyond `keptMs`, at most about {@link RETENTION_BATCH}. Returns whether there may be more.
   * Safe to run concurrently in several processes.
   */
  prune(keptMs: number): Promise<boolean>;
}

/** Most rows deleted per statement, which bounds how long it holds locks. */
export const RETENTION_BATCH = 1_000;

/**
 * The deletion of what has been kept long enough, as a row of the service's job table: prunes all tables by their rules,
 * in small parts. A failure is logged and retried at the next run without affecting other tables.
 */
export function retentionJob({
  rules,
  log,
  everyMs,
}: {
  readonly rules: readonly RetentionRule[];
  readonly log: Logger;
  readonly everyMs: number;
}): JobRow {
  const pruneAll = async (signal: AbortSignal): Promise<boolean> => {
    for (const { table, keptMs, prune } of rules) {
      try {
        while (!signal.aborted && keptMs !== undefined && (await prune(keptMs))) {
          // Yields between parts, because SQLite is synchronous.
          await turn();
        }
      } catch (error) {
        log.warn({ err: error, table }, "old rows could not be deleted");
      }
    }
    return false;
  };
  const work = createPeriodicJob({ name: "retention", log, everyMs, work: pruneAll });
  return { name: "retention", does: "Deletes what has been kept for long enough.", work };
}
