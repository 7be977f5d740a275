import type { JobRow } from "../runtime/jobs/job-table.ts";
import type { WorkLoop } from "../runtime/jobs/work-loop.ts";
import { type OutboxRelay, outboxJob } from "../runtime/outbox/relay.ts";
import { retentionJob } from "../runtime/retention/retention.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { LogisticsContext } from "./context.ts";
import { logisticsRetention } from "./retention.ts";

/** What the jobs need besides the context. */
export interface LogisticsWork {
  readonly relay: OutboxRelay;
  readonly shipments: WorkLoop;
  readonly kept: RetentionSettings;
}

/** The job table: what the logistics service does by itself, now and then. */
export function jobs(ctx: LogisticsContext, { relay, shipments, kept }: LogisticsWork): readonly JobRow[] {
  return [
    outboxJob(relay),
    {
      name: "callbacks",
      does: "Applies callbacks of carriers that could not be applied when they arrived.",
      work: ctx.callbacks,
    },
    { name: "shipments", does: "Books, cancels and tracks shipments at their carriers.", work: shipments },
    retentionJob({ db: ctx.db, log: ctx.log, everyMs: kept.everyMs, rules: logisticsRetention(ctx, kept) }),
  ];
}
