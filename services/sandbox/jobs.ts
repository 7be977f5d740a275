import type { JobRow } from "../runtime/jobs/job-table.ts";
import { retentionJob } from "../runtime/retention/retention.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { SandboxContext } from "./context.ts";
import { sandboxRetention } from "./retention.ts";

/** The job table: what the sandbox does by itself, now and then. */
export function jobs(ctx: SandboxContext, log: Logger, kept: RetentionSettings): readonly JobRow[] {
  return [
    { name: "webhooks", does: "Sends the callbacks of the payment provider and the carrier.", work: ctx.sender },
    retentionJob({ db: ctx.db, log, everyMs: kept.everyMs, rules: sandboxRetention(ctx, kept) }),
  ];
}
