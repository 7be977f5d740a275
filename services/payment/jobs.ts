import type { JobRow } from "../runtime/jobs/job-table.ts";
import type { WorkLoop } from "../runtime/jobs/work-loop.ts";
import { type OutboxRelay, outboxJob } from "../runtime/outbox/relay.ts";
import { retentionJob } from "../runtime/retention/retention.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { PaymentContext } from "./context.ts";
import { paymentRetention } from "./retention.ts";
import { createPaymentReconciler } from "./workers/reconcile-payments.ts";

/** What the jobs need besides the context. */
export interface PaymentWork {
  readonly relay: OutboxRelay;
  readonly operations: WorkLoop;
  readonly pollMs: number;
  readonly kept: RetentionSettings;
}

/** The job table: what the payment service does by itself, now and then. */
export function jobs(ctx: PaymentContext, { relay, operations, pollMs, kept }: PaymentWork): readonly JobRow[] {
  return [
    outboxJob(relay),
    {
      name: "callbacks",
      does: "Applies callbacks of providers that could not be applied when they arrived.",
      work: ctx.callbacks,
    },
    {
      name: "reconciliation",
      does: "Polls the providers for payments without a callback.",
      work: createPaymentReconciler(ctx, { pollMs }),
    },
    {
      name: "operations",
      does: "Executes follow-up operations, and those that a crashed or failed process left behind.",
      work: operations,
    },
    retentionJob({ db: ctx.db, log: ctx.log, everyMs: kept.everyMs, rules: paymentRetention(ctx, kept) }),
  ];
}
