import { periodically } from "../../runtime/jobs/periodic-job.ts";
import type { Logger } from "../../runtime/telemetry/log.ts";
import type { OperationsContext } from "../context.ts";
import { deleteAuditEvents } from "../store/audit-events.ts";

const everyMs = 10 * 60_000;
const batch = 1000;

/** Deletes acts from the audit trail that are older than `retentionMs`. */
export function startAuditRetention(
  { db, clock }: OperationsContext,
  options: { readonly retentionMs: number; readonly log: Logger; readonly everyMs?: number },
): AsyncDisposable {
  return periodically({
    name: "audit retention",
    log: options.log,
    everyMs: options.everyMs ?? everyMs,
    work: async () =>
      (await deleteAuditEvents(db, { before: clock.now().getTime() - options.retentionMs, limit: batch })) > 0,
  });
}
