import { sql } from "kysely";
import { gauge } from "../../../gateway/telemetry/metric-spec.ts";
import { tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";
import type { Check } from "../process/checks.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import type { SagaTables } from "./store/tables.ts";

/**
 * Check that warns if a saga has been due for longer than `warnAfterMs`, default 30 s, without a runner: there are too
 * few runners, or none has its definition. It never makes a process unready. The wait is a metric of the service.
 */
export function sagaLagCheck<DB extends SagaTables>(db: Database<DB>, service: string, warnAfterMs = 30_000): Check {
  const lag = gauge(meter(), runtimeMetrics.sagaLag);
  const tables = tablesOf<SagaTables>(db.kysely);
  return {
    policy: "degraded",
    async run() {
      const { due, now } = await tables
        .selectFrom("sagas")
        .select((row) => [row.fn.min("due_at").as("due"), sql<number>`${nowMs(db.dialect)}`.as("now")])
        .executeTakeFirstOrThrow();
      const lagMs = due === null ? 0 : now - due;
      lag.record(Math.max(0, lagMs) / 1000, { service });
      return lagMs > warnAfterMs
        ? { status: "warn", error: `a saga has been due for ${lagMs} ms` }
        : { status: "pass" };
    },
  };
}
