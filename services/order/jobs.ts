import { type Consumer, inboxJob } from "../runtime/inbox/consumer.ts";
import type { JobRow } from "../runtime/jobs/job-table.ts";
import { type OutboxRelay, outboxJob } from "../runtime/outbox/relay.ts";
import { retentionJob } from "../runtime/retention/retention.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import type { SagaRunner } from "../runtime/saga/runner/runner.ts";
import type { OrderContext } from "./context.ts";
import { orderRetention } from "./retention.ts";

/** What the jobs need besides the context. */
export interface OrderWork {
  readonly relay: OutboxRelay;
  readonly runner: SagaRunner;
  readonly consumers: readonly Consumer[];
}

/** The job table: what the order service does by itself, now and then. */
export function jobs(ctx: OrderContext, { relay, runner, consumers }: OrderWork): readonly JobRow[] {
  const { everyMs } = ctx.config.retention ?? defaultRetention;
  return [
    outboxJob(relay),
    { name: "sagas", does: "Runs the sagas that are due.", work: runner },
    ...consumers.map(inboxJob),
    retentionJob({ db: ctx.db, log: ctx.log, everyMs, rules: orderRetention(ctx) }),
  ];
}
