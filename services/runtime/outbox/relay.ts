import { setTimeout as sleep } from "node:timers/promises";
import type { BusEvent, EventBus } from "../bus/event-bus.ts";
import type { Database } from "../db/connect.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Backoff, fullJitterMs } from "../values/backoff.ts";
import { type Clock, systemClock } from "../values/clock.ts";
import { createIds, type Ids } from "../values/ids.ts";
import { createBucketLeases } from "./buckets.ts";
import { createMarker } from "./marker.ts";
import type { Outbox } from "./outbox.ts";
import type { OutboxTables } from "./tables.ts";
import { type AggregateKey, createUnsent, type Run } from "./unsent.ts";

export interface OutboxRelayOptions<DB extends OutboxTables> {
  readonly db: Database<DB>;
  readonly bus: EventBus;
  /** What this outbox of the same process commits is sent at once; other processes' rows are found by looking. */
  readonly outbox: Outbox;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** A number in [0, 1), for the jitter of pauses; `Math.random` unless given. */
  readonly random?: () => number;
  /** How often it looks without being nudged. 200 ms unless given. */
  readonly pollMs?: number;
  /** How long a dead relay's share stays with it. 5 s unless given. */
  readonly leaseMs?: number;
  /** How many aggregates may have events on their way at once. 256 unless given. */
  readonly concurrency?: number;
  /** The pauses of an aggregate whose events the bus did not take. 100 ms up to 30 s unless given. */
  readonly retry?: Backoff;
}

/** Sends what is in the outbox. */
export interface OutboxRelay extends AsyncDisposable {
  /** Begins to send. Call it when every consumer of this process has subscribed. */
  start(): void;
  /** Looks for rows now. */
  nudge(): void;
  /**
   * Takes no more rows, waits for what is on its way for 5 s at the most, and gives its share to the other relays.
   * Repeatable. What the bus had not taken is sent again by another relay.
   */
  drain(): Promise<void>;
}

const DRAIN_MS = 5_000;
const PAGE = 512;

/**
 * Sends the rows of a database's outbox to the bus: at least once, in order per aggregate. An aggregate whose event
 * the bus does not take waits at that event and holds up no other. Of many relays on one database each sends its own
 * share of the aggregates; the share of a dead one goes to the others within `leaseMs` and a third.
 *
 * ```ts
 * const outbox = createOutbox({ source: "docket/trips", ids, clock });
 * const relay = createOutboxRelay({ db, bus, outbox, log });
 * relay.start();           // in the service's start()
 * await relay.drain();     // in the service's drain()
 * ```
 */
export function createOutboxRelay<DB extends OutboxTables>(options: OutboxRelayOptions<DB>): OutboxRelay {
  const { db, bus, log, clock = systemClock, random = Math.random } = options;
  const { pollMs = 200, leaseMs = 5_000, concurrency = 256 } = options;
  const { retry = { initialMs: 100, maxMs: 30_000 } } = options;
  const owner = (options.ids ?? createIds(clock)).next();
  const leases = createBucketLeases(db, { owner, leaseMs });
  const unsent = createUnsent(db);
  /** Aggregates with events on their way, or resting after the bus did not take them, by name. */
  const busy = new Map<string, number>();
  const failures = new Map<string, number>();
  const timers = new Set<NodeJS.Timeout>();
  const underway = new Set<Promise<void>>();
  const marks = createMarker(unsent.mark);

  let buckets: readonly number[] = [];
  let ownedUntilMs = 0;
  let renewAtMs = 0;
  let after: AggregateKey | undefined;
  let nudged = Promise.withResolvers<void>();
  let looping: Promise<void> | undefined;
  let draining = false;

  const leave = ({ aggregate }: Run) => {
    const left = (busy.get(aggregate) ?? 1) - 1;
    left === 0 ? busy.delete(aggregate) : busy.set(aggregate, left);
    nudged.resolve();
  };

  const send = async (run: Run) => {
    const key = `${run.tenant}\0${run.aggregate}`;
    try {
      await bus.publish(run.events);
      await marks(run);
      failures.delete(key);
      leave(run);
    } catch (error) {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      log.warn({ err: error, tenant: run.tenant, aggregate: run.aggregate, failures: count }, "events were not sent");
      const timer = setTimeout(
        () => {
          timers.delete(timer);
          leave(run);
        },
        fullJitterMs(count, retry, random),
      );
      timers.add(timer.unref());
    }
  };

  /** Renews the lease in good time. */
  const maintain = async () => {
    const nowMs = clock.monotonicMs();
    if (nowMs >= renewAtMs) {
      buckets = await leases.renew();
      ownedUntilMs = nowMs + leaseMs;
      renewAtMs = nowMs + leaseMs / 2;
    }
  };

  /** Sends one page of what is to be sent; answers whether there may be more. */
  const sendPage = async (): Promise<boolean> => {
    const room = concurrency - busy.size;
    if (room <= 0 || buckets.length === 0 || clock.monotonicMs() > ownedUntilMs) {
      return false;
    }
    const events = await unsent.find({ buckets, limit: PAGE, without: [...busy.keys()], after });
    const runs = runsOf(events).slice(0, room);
    const full = events.length === PAGE || runs.length === room;
    const wrapped = after !== undefined && !full;
    after = full ? runs.at(-1) : undefined;
    for (const run of runs) {
      busy.set(run.aggregate, (busy.get(run.aggregate) ?? 0) + 1);
      const sending = send(run).finally(() => underway.delete(sending));
      underway.add(sending);
    }
    return full || wrapped;
  };

  const loop = async () => {
    while (!draining) {
      nudged = Promise.withResolvers();
      try {
        await maintain();
        if (await sendPage()) {
          continue;
        }
      } catch (error) {
        log.warn({ err: error }, "the outbox could not be read");
      }
      const timer = setTimeout(nudged.resolve, pollMs).unref();
      await nudged.promise;
      clearTimeout(timer);
    }
  };

  const drain = async () => {
    draining = true;
    nudged.resolve();
    await looping;
    const patience = new AbortController();
    await Promise.race([
      Promise.all(underway),
      sleep(DRAIN_MS, undefined, { signal: patience.signal }).catch(() => {}),
    ]);
    patience.abort();
    timers.forEach(clearTimeout);
    if (looping !== undefined) {
      looping = undefined;
      await leases.release();
    }
  };

  options.outbox.onCommitted(() => nudged.resolve());
  return {
    start() {
      looping ??= loop();
    },
    nudge: () => nudged.resolve(),
    drain,
    [Symbol.asyncDispose]: drain,
  };
}

/** Cuts a page where the aggregate changes. */
function runsOf(events: readonly BusEvent[]): readonly Run[] {
  const runs: (AggregateKey & { readonly events: BusEvent[] })[] = [];
  for (const event of events) {
    const last = runs.at(-1);
    if (last !== undefined && last.tenant === event.tenant && last.aggregate === event.aggregate) {
      last.events.push(event);
    } else {
      runs.push({ tenant: event.tenant, aggregate: event.aggregate, events: [event] });
    }
  }
  return runs;
}
