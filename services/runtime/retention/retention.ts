import { setImmediate as turn } from "node:timers/promises";
import type { Database } from "../db/connect.ts";
import type { JobRow } from "../jobs/job-table.ts";
import { createPeriodicJob } from "../jobs/periodic-job.ts";
import type { Logger } from "../telemetry/log.ts";
import { pruneTable } from "./prune.ts";
import type { RetentionRule } from "./rule.ts";

export interface RetentionJobOptions<DB> {
  readonly db: Database<DB>;
  readonly rules: readonly RetentionRule[];
  readonly log: Logger;
  readonly everyMs: number;
}

/**
 * The deletion of what has been kept for long enough, as a row of the service's job table: prunes all tables by their
 * rules, in small parts. A failure is logged and retried at the next run without affecting other tables.
 */
export function retentionJob<DB>({ db, rules, log, everyMs }: RetentionJobOptions<DB>): JobRow {
  const pruneAll = async (signal: AbortSignal): Promise<boolean> => {
    for (const rule of rules) {
      try {
        while (!signal.aborted && (await pruneTable(db, rule))) {
          // Yields between parts, because SQLite is synchronous.
          await turn();
        }
      } catch (error) {
        log.warn({ err: error, table: rule.table }, "old rows could not be deleted");
      }
    }
    return false;
  };
  const work = createPeriodicJob({ name: "retention", log, everyMs, work: pruneAll });
  return { name: "retention", does: "Deletes what has been kept for long enough.", work };
}
