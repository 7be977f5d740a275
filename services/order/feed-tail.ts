import type { Database } from "../runtime/db/connect.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import { type ChangeNotifier, feedSignal } from "./change-notifier.ts";
import type { OrderDatabase } from "./db/schema.ts";
import type { Order } from "./domain/order.ts";
import { type FeedItem, feedEnds, readFeed } from "./store/feed.ts";

const BATCH = 100;
/** How often the feed is polled for what other processes wrote. */
const POLL_MS = 250;
/** How many batches are kept for watchers that are a little behind. */
const KEPT_BATCHES = 20;
/** How long a watcher waits before it checks again. Only a safeguard: every new batch wakes it. */
const WAIT_MS = 60_000;

/** Consecutive entries of a tenant's feed, shared by all its watchers. */
export interface FeedBatch {
  /** The position before the first entry. */
  readonly after: number;
  readonly items: readonly FeedItem[];
  /** The orders of the entries that a filter matches, by the filter's text: one query for all watchers with it. */
  readonly matching: Map<string, Promise<ReadonlyMap<string, Order>>>;
}

/** A watcher's view of the end of its tenant's feed. */
export interface FeedSubscription {
  /**
   * The entries after a position: at once where there are some, else as soon as there are. Resolves with undefined when
   * the subscription has ended.
   */
  next(position: number): Promise<FeedBatch | undefined>;
}

/** Follows the feeds of tenants that have watchers, with one poll per process and tenant. */
export interface FeedTail {
  /** Subscribes until the signal aborts. A tenant's feed is polled while it has subscribers. */
  subscribe(tenant: string, signal: AbortSignal): FeedSubscription;
}

export interface FeedTailOptions {
  readonly db: Database<OrderDatabase>;
  readonly log: Logger;
  readonly changed: ChangeNotifier;
}

interface Tail {
  subscribers: number;
  /** The position up to which the feed was read; undefined until it is known where it ends. */
  head: number | undefined;
  readonly batches: FeedBatch[];
  readonly stop: AbortController;
}

export function createFeedTail({ db, log, changed }: FeedTailOptions): FeedTail {
  const tails = new Map<string, Tail>();

  const advance = async (tenant: string, tail: Tail): Promise<boolean> => {
    if (tail.head === undefined) {
      tail.head = (await feedEnds(db.kysely, tenant)).head;
      return true;
    }
    const items = await readFeed(db.kysely, tenant, tail.head, BATCH);
    const last = items.at(-1);
    if (last === undefined) {
      return false;
    }
    tail.batches.push({ after: tail.head, items, matching: new Map() });
    tail.batches.splice(0, tail.batches.length - KEPT_BATCHES);
    tail.head = last.position;
    return true;
  };

  const follow = async (tenant: string, tail: Tail) => {
    const { signal } = tail.stop;
    while (!signal.aborted) {
      const woken = changed.wait(feedSignal(tenant), POLL_MS, signal);
      const advanced = await advance(tenant, tail).catch((error: unknown) => {
        log.warn({ err: error, tenant }, "the feed of orders could not be read");
        return false;
      });
      if (advanced) {
        changed.notify(tailSignal(tenant));
      } else {
        await woken;
      }
    }
  };

  const release = (tenant: string, tail: Tail) => {
    tail.subscribers -= 1;
    if (tail.subscribers === 0) {
      tails.delete(tenant);
      tail.stop.abort();
    }
  };

  return {
    subscribe(tenant, signal) {
      let tail = tails.get(tenant);
      if (tail === undefined) {
        tail = { subscribers: 0, head: undefined, batches: [], stop: new AbortController() };
        tails.set(tenant, tail);
        void follow(tenant, tail);
      }
      const subscribed = tail;
      subscribed.subscribers += 1;
      if (signal.aborted) {
        release(tenant, subscribed);
      } else {
        signal.addEventListener("abort", () => release(tenant, subscribed), { once: true });
      }
      return {
        async next(position) {
          while (!signal.aborted) {
            const { head } = subscribed;
            if (head !== undefined && position < head) {
              const batch = keptBatch(subscribed, position) ?? (await ownBatch(db, tenant, position));
              if (batch.items.length > 0) {
                return batch;
              }
            }
            await changed.wait(tailSignal(tenant), WAIT_MS, signal);
          }
          return undefined;
        },
      };
    },
  };
}

function tailSignal(tenant: string): string {
  return `tail/${tenant}`;
}

/** The kept batch that begins at or before the position and reaches beyond it. */
function keptBatch({ batches }: Tail, position: number): FeedBatch | undefined {
  return batches.find(({ after, items }) => after <= position && (items.at(-1)?.position ?? after) > position);
}

/** Entries that a watcher far behind reads from the database. */
async function ownBatch(db: Database<OrderDatabase>, tenant: string, position: number): Promise<FeedBatch> {
  return { after: position, items: await readFeed(db.kysely, tenant, position, BATCH), matching: new Map() };
}
