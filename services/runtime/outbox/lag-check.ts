import { sql } from "kysely";
import { gauge } from "../../../gateway/telemetry/metric-spec.ts";
import { tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";
import type { Check } from "../process/checks.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import type { OutboxTables } from "./tables.ts";

/** Number of unsent events to inspect; a longer backlog is reported by its size. */
const SAMPLE = 1_000;

/**
 * Check that warns of unsent events: one older than `warnAfterMs`, default 30 s, or a large backlog. What it finds are the
 * outbox metrics of the service.
 *
 * It never makes a process unready: an unavailable bus is not a reason to reject callers.
 */
export function outboxLagCheck<DB extends OutboxTables>(
  db: Database<DB>,
  service: string,
  warnAfterMs = 30_000,
): Check {
  const lag = gauge(meter(), runtimeMetrics.outboxLag);
  const unsent = gauge(meter(), runtimeMetrics.outboxUnsent);
  const tables = tablesOf<OutboxTables>(db.kysely);
  return {
    policy: "degraded",
    async run() {
      const waiting = tables
        .selectFrom("outbox_messages")
        .select("published_at")
        .where("sent_at", "is", null)
        .limit(SAMPLE);
      const { count, oldest, now } = await tables
        .selectFrom(waiting.as("waiting"))
        .select((row) => [row.fn.countAll<number>().as("count"), row.fn.min("published_at").as("oldest")])
        .select(sql<number>`${nowMs(db.dialect)}`.as("now"))
        .executeTakeFirstOrThrow();
      const lagMs = oldest === null ? 0 : now - oldest;
      lag.record(Math.max(0, lagMs) / 1000, { service });
      unsent.record(count, { service });
      const late = lagMs > warnAfterMs || count >= SAMPLE;
      return late
        ? {
            status: "warn",
            error: `${count === SAMPLE ? "at least " : ""}${count} unsent events, the oldest of ${lagMs} ms ago`,
          }
        : { status: "pass" };
    },
  };
}
