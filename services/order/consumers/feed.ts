import { parseName } from "../../runtime/api/resource-name.ts";
import type { BusEvent, EventBus } from "../../runtime/bus/event-bus.ts";
import { afterCommit } from "../../runtime/db/after-commit.ts";
import { feedSignal } from "../change-notifier.ts";
import type { OrderContext } from "../context.ts";
import { orderEventTypes, timelineSequenceAttribute } from "../events.ts";
import { appendToFeed, type FeedEntry } from "../store/feed.ts";

/**
 * Writes the service's own events into the feed that WatchOrders reads, a batch in one transaction. No inbox is needed:
 * an entry that is already in the feed is not written again.
 */
export function createFeedConsumer({ db, clock, log, changed }: OrderContext, bus: EventBus): AsyncDisposable {
  const entryOf = (event: BusEvent): readonly FeedEntry[] => {
    const orderId = parseName("orders/{order}", event.aggregate)?.order;
    if (orderId === undefined) {
      log.error({ event: event.id, type: event.type, aggregate: event.aggregate }, "an order event concerns no order");
      return [];
    }
    return [{ orderId, sequence: Number(event.extensions[timelineSequenceAttribute] ?? event.sequence) }];
  };
  return bus.subscribe("order.feed", orderEventTypes, (events) =>
    db.transaction(async (trx) => {
      const byTenant = Map.groupBy(events, ({ tenant }) => tenant);
      for (const tenant of [...byTenant.keys()].sort()) {
        const entries = (byTenant.get(tenant) ?? []).flatMap(entryOf);
        if (entries.length > 0) {
          await appendToFeed(trx, db.dialect, tenant, entries, clock.now().getTime());
          afterCommit(trx, () => changed.notify(feedSignal(tenant)));
        }
      }
    }),
  );
}
