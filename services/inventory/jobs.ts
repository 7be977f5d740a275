import { type Consumer, inboxJob } from "../runtime/inbox/consumer.ts";
import type { JobRow } from "../runtime/jobs/job-table.ts";
import { type OutboxRelay, outboxJob } from "../runtime/outbox/relay.ts";
import { retentionJob } from "../runtime/retention/retention.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { InventoryContext } from "./context.ts";
import { inventoryRetention } from "./retention.ts";
import { createExpirySweep } from "./workers/expire-reservations.ts";

/** What the jobs need besides the context. */
export interface InventoryWork {
  readonly relay: OutboxRelay;
  readonly consumer: Consumer;
  readonly ids: Ids;
  readonly expiryPollMs: number;
  readonly kept: RetentionSettings;
}

/** The job table: what the inventory service does by itself, now and then. */
export function jobs(ctx: InventoryContext, work: InventoryWork): readonly JobRow[] {
  const { relay, consumer, ids, expiryPollMs, kept } = work;
  return [
    inboxJob(consumer),
    outboxJob(relay),
    {
      name: "reservations",
      does: "Expires reservations that were neither committed nor released in time.",
      work: createExpirySweep(ctx, { pollMs: expiryPollMs }),
    },
    retentionJob({ db: ctx.db, log: ctx.log, everyMs: kept.everyMs, rules: inventoryRetention(ctx, ids, kept) }),
  ];
}
