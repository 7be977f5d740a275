import type { Command } from "../runtime/commands/command.ts";
import { idempotencyRetention } from "../runtime/idempotency/retention.ts";
import { inboxRetention } from "../runtime/inbox/retention.ts";
import { outboxRetention } from "../runtime/outbox/retention.ts";
import { RETENTION_BATCH, type RetentionRule } from "../runtime/retention/rule.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import { sagaRetention } from "../runtime/saga/store/retention.ts";
import { beginErasure } from "./begin-erasure.ts";
import type { OrderContext } from "./context.ts";
import { systemStamp } from "./saga/steps.ts";
import { needOrder, type OrderKey } from "./store/change-order.ts";
import { findExpiredOrders } from "./store/delete-orders.ts";
import { orderHasEnded } from "./store/ended-orders.ts";
import { pruneFeed } from "./store/feed.ts";

/** Number of orders whose deletion starts at once. Each has its own saga. */
const ORDERS_AT_ONCE = 100;

/** How long the tables of the order service are kept. An order takes its lines and its timeline with it. */
export function orderRetention(ctx: OrderContext): readonly RetentionRule[] {
  const { db, clock, config } = ctx;
  const kept = config.retention ?? defaultRetention;
  return [
    {
      table: "orders",
      age: "updated_at",
      keptMs: config.orderRetentionMs,
      prune: (keptMs) => beginDeletions(ctx, keptMs),
    },
    {
      table: "order_feed",
      age: "created_at",
      keptMs: config.feedRetentionMs,
      async prune(keptMs) {
        const before = clock.now().getTime() - keptMs;
        return (await db.transaction((trx) => pruneFeed(trx, db.dialect, before, RETENTION_BATCH))) > 0;
      },
    },
    sagaRetention(clock, kept.sagasMs, orderHasEnded),
    outboxRetention(db, kept.outboxMs),
    ...inboxRetention(ctx, kept),
    idempotencyRetention(clock, kept.idempotencyKeysMs),
  ];
}

/**
 * Starts the sagas that erase the personal data of long-ended orders in every service and then delete the orders.
 * Returns whether there may be more.
 */
async function beginDeletions(ctx: OrderContext, keptMs: number): Promise<boolean> {
  const before = ctx.clock.now().getTime() - keptMs;
  const expired = await findExpiredOrders(ctx.db.kysely, { before, limit: ORDERS_AT_ONCE });
  const begin = (key: OrderKey): Command<unknown> => ({
    keys: (need) => needOrder(need, key),
    decide: (batch) => beginErasure(batch, ctx, key, { moment: systemStamp(ctx), deletes: true }),
  });
  await Promise.all(expired.map((key) => ctx.commands.execute(begin(key), { tenant: key.tenant })));
  return expired.length === ORDERS_AT_ONCE;
}
