import { type Consumer, inboxJob } from "../runtime/inbox/consumer.ts";
import type { JobRow } from "../runtime/jobs/job-table.ts";
import { retentionJob } from "../runtime/retention/retention.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { OperationsContext } from "./context.ts";
import { operationsRetention } from "./retention.ts";

/** What the jobs need besides the context. */
export interface OperationsWork {
  readonly audit: Consumer;
  readonly log: Logger;
  readonly kept: RetentionSettings & { readonly auditMs: number };
}

/** The job table: what the operations service does by itself, now and then. */
export function jobs(ctx: OperationsContext, { audit, log, kept }: OperationsWork): readonly JobRow[] {
  return [
    inboxJob(audit),
    retentionJob({ db: ctx.db, log, everyMs: kept.everyMs, rules: operationsRetention(ctx, kept) }),
  ];
}
