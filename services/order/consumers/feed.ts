import { parseName } from "../../runtime/api/resource-name.ts";
import type { BusEvent, EventBus } from "../../runtime/bus/event-bus.ts";
import { afterCommit } from "../../runtime/db/after-commit.ts";
import { feedSignal } from "../change-notifier.ts";
import type { OrderContext } from "../context.ts";
import { orderEventTypes, timelineSequenceAttribute } from "../events.ts";
import { appendToFeed, type FeedEntry } from "../store/feed.ts";

interface Waiting {
  readonly tenant: string;
  readonly entry: FeedEntry;
  readonly settle: (error?: unknown) => void;
}

const MAX_BATCH = 500;

/**
 * Writes the service's own events into the feed that WatchOrders reads. Events that arrive during a transaction share
 * the next one. No inbox is needed: an entry that is already in the feed is not written again.
 */
export function createFeedConsumer(ctx: OrderContext, bus: EventBus): AsyncDisposable {
  const { db, clock, changed } = ctx;
  let queue: Waiting[] = [];
  let writing: Promise<void> | undefined;

  const writeAll = async () => {
    while (queue.length > 0) {
      const batch = queue.slice(0, MAX_BATCH);
      queue = queue.slice(MAX_BATCH);
      const error = await write(batch).then(
        () => undefined,
        (reason: unknown) => reason ?? new Error("the feed could not be written"),
      );
      for (const { settle } of batch) {
        settle(error);
      }
    }
    writing = undefined;
  };

  const write = (batch: readonly Waiting[]) =>
    db.transaction(async (trx) => {
      const byTenant = Map.groupBy(batch, ({ tenant }) => tenant);
      for (const tenant of [...byTenant.keys()].sort()) {
        const entries = (byTenant.get(tenant) ?? []).map(({ entry }) => entry);
        await appendToFeed(trx, db.dialect, tenant, entries, clock.now().getTime());
        afterCommit(trx, () => changed.notify(feedSignal(tenant)));
      }
    });

  const handle = (event: BusEvent) =>
    new Promise<void>((resolve, reject) => {
      queue.push({
        tenant: event.tenant,
        entry: entryOf(event),
        settle: (error) => (error === undefined ? resolve() : reject(error)),
      });
      writing ??= Promise.resolve().then(writeAll);
    });

  const subscription = bus.subscribe("order.feed", orderEventTypes, handle);

  return {
    async [Symbol.asyncDispose]() {
      await subscription[Symbol.asyncDispose]();
      await writing;
    },
  };
}

function entryOf(event: BusEvent): FeedEntry {
  const orderId = parseName("orders/{order}", event.aggregate)?.order;
  if (orderId === undefined) {
    throw new Error(`${event.type} ${event.id} concerns no order`);
  }
  return { orderId, sequence: Number(event.extensions[timelineSequenceAttribute] ?? event.sequence) };
}
