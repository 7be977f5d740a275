import { sql } from "kysely";
import { gauge } from "../../../gateway/telemetry/metric-spec.ts";
import { tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";
import type { Check } from "../process/checks.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import type { InboxTables } from "./tables.ts";

/** Number of parked aggregates to inspect; more are reported by their number. */
const SAMPLE = 1_000;

/**
 * Check that warns of parked aggregates: one that is overdue by more than `warnAfterMs`, default 60 s, as happens when
 * no process of its consumer runs, or very many. Their number is a metric of the service.
 *
 * It never makes a process unready: other aggregates are not affected.
 */
export function parkedCheck<DB extends InboxTables>(db: Database<DB>, service: string, warnAfterMs = 60_000): Check {
  const parkedNow = gauge(meter(), runtimeMetrics.inboxParked);
  const tables = tablesOf<InboxTables>(db.kysely);
  return {
    policy: "degraded",
    async run() {
      const parked = tables.selectFrom("inbox_parked").select("due_at").limit(SAMPLE);
      const { count, due, now } = await tables
        .selectFrom(parked.as("parked"))
        .select((row) => [row.fn.countAll<number>().as("count"), row.fn.min("due_at").as("due")])
        .select(sql<number>`${nowMs(db.dialect)}`.as("now"))
        .executeTakeFirstOrThrow();
      parkedNow.record(count, { service });
      const overdueMs = due === null ? 0 : now - due;
      return overdueMs > warnAfterMs || count >= SAMPLE
        ? {
            status: "warn",
            error: `${count === SAMPLE ? "at least " : ""}${count} aggregates with parked events, the first overdue by ${Math.max(0, overdueMs)} ms`,
          }
        : { status: "pass" };
    },
  };
}
