import { setTimeout as sleep } from "node:timers/promises";
import { counter, histogram } from "../../../gateway/telemetry/metric-spec.ts";
import type { BusEvent, EventBus } from "../bus/event-bus.ts";
import type { Database } from "../db/connect.ts";
import type { Job } from "../jobs/job.ts";
import type { BackgroundWork, JobRow } from "../jobs/job-table.ts";
import { countPending } from "../process/pending.ts";
import type { Logger } from "../telemetry/log.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import { type Backoff, fullJitterMs } from "../values/backoff.ts";
import { type Clock, systemClock } from "../values/clock.ts";
import { createIds, type Ids } from "../values/ids.ts";
import { createBucketLeases } from "./buckets.ts";
import type { Outbox } from "./outbox.ts";
import { createProgress } from "./progress.ts";
import { BUCKETS, bucketOf, type OutboxTables } from "./tables.ts";
import { type AggregateKey, createUnsent, keyOf, type Run } from "./unsent.ts";

export interface OutboxRelayOptions<DB extends OutboxTables> {
  readonly db: Database<DB>;
  readonly bus: EventBus;
  /** Events of this outbox are handed over in memory after their commit; those of other processes are found by polling. */
  readonly outbox: Outbox;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** Random number in [0, 1) for jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Poll interval while other relays share the database, default 200 ms; ten times that without them. */
  readonly pollMs?: number;
  /** Lease duration. After a crash, other relays can claim the buckets once it expires. Default 5 s. */
  readonly leaseMs?: number;
  /** Most aggregates with events in transit. Default 256. */
  readonly concurrency?: number;
  /** Delays of an aggregate whose events the bus rejected. Default 100 ms up to 30 s. */
  readonly retry?: Backoff;
}

/** Sends the events of the outbox. */
export interface OutboxRelay extends BackgroundWork {
  /** Starts sending. Call it after every consumer of this process has subscribed. */
  start(): void;
  /**
   * Sends what is unsent, without the loop, and releases its buckets. Waits for the share of other relays that are
   * sending, which may have read it before these events were committed. Events that the bus rejects are left for later.
   */
  readonly runDue: Job;
  /** Polls immediately. */
  nudge(): void;
  /**
   * Stops reading rows, waits up to 5 s for events in transit, and releases its buckets to the other relays.
   * Idempotent. Events that the bus had not accepted are sent again by another relay.
   */
  drain(): Promise<void>;
}

/** How long sent events are collected before they are marked together. */
const MARK_AFTER_MS = 20;
/** Without another relay only this process's events are expected, which need no look. */
const ALONE_POLL_FACTOR = 10;
const DRAIN_MS = 5_000;
/** Interval at which `runDue` looks again while another relay holds the buckets of unsent events. */
const SHARE_POLL_MS = 20;
const PAGE = 512;

/**
 * Sends the rows of a database's outbox to the bus: at least once, in order per aggregate, a page of aggregates per
 * `publish`. After the bus has rejected a page, each of its aggregates is retried alone with backoff, so one that the
 * bus does not take blocks no other. Each relay of a database sends its own share of the aggregates; a crashed relay's
 * share moves to the others within 4/3 of `leaseMs`.
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
  const sent = counter(meter(), runtimeMetrics.eventsPublished);
  const delay = histogram(meter(), runtimeMetrics.outboxDelay);
  /** Names of aggregates whose events are in transit, not marked yet, or backing off after a rejection. */
  const busy = new Map<string, number>();
  /** Aggregates with events in transit or backing off, with what was handed over meanwhile. */
  const inTransit = new Map<string, Run[]>();
  const progress = createProgress();
  /** Aggregates whose events were handed over since the last look at the table began. */
  let handedOver = new Set<string>();
  const failures = new Map<string, number>();
  const timers = new Set<NodeJS.Timeout>();
  const underway = new Set<Promise<void>>();
  const pending = countPending("outbox");
  /** What the bus has taken and is not marked yet. */
  let taken: readonly Run[] = [];

  /** Whether there may be unsent events that the last look at the table did not find. */
  let stale = true;
  /** Whether the table was read without the busy aggregates, which may have further events. */
  let hidden = false;

  let buckets: readonly number[] = [];
  let owned: ReadonlySet<number> = new Set();
  let marking: NodeJS.Timeout | undefined;
  let ownedUntilMs = 0;
  let renewAtMs = 0;
  let after: AggregateKey | undefined;
  let nudged = Promise.withResolvers<void>();
  let looping: Promise<void> | undefined;
  let draining = false;

  const enter = (run: Run) => {
    busy.set(run.aggregate, (busy.get(run.aggregate) ?? 0) + 1);
    inTransit.set(keyOf(run), []);
    progress.advance(run);
  };

  const leave = ({ aggregate }: Run) => {
    const left = (busy.get(aggregate) ?? 1) - 1;
    left === 0 ? busy.delete(aggregate) : busy.set(aggregate, left);
  };

  const look = () => {
    stale = true;
    nudged.resolve();
  };

  /** Leaves the run after a delay that grows with its failures. What follows it is read from the table then. */
  const backOff = (run: Run) => {
    progress.forget(run);
    const count = (failures.get(keyOf(run)) ?? 0) + 1;
    failures.set(keyOf(run), count);
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        inTransit.delete(keyOf(run));
        leave(run);
        look();
      },
      fullJitterMs(count, retry, random),
    );
    timers.add(timer.unref());
  };

  const measure = (events: readonly BusEvent[]) => {
    const nowMs = clock.now().getTime();
    for (const { source, type, time } of events) {
      const service = source.slice(source.lastIndexOf("/") + 1);
      sent.add(1, { service, event_type: type });
      delay.record(Math.max(0, nowMs - time.getTime()) / 1000, { service });
    }
  };

  const send = async (runs: readonly Run[]) => {
    const events = runs.flatMap((run) => run.events);
    try {
      await bus.publish(events);
    } catch (error) {
      const [{ tenant, aggregate } = {}] = runs;
      log.warn({ err: error, tenant, aggregate, aggregates: runs.length }, "events were not sent");
      runs.forEach(backOff);
      return;
    }
    measure(events);
    taken = [...taken, ...runs];
    marking ??= setTimeout(nudged.resolve, MARK_AFTER_MS).unref();
    const following = runs.flatMap((run) => {
      const next = inTransit.get(keyOf(run)) ?? [];
      inTransit.delete(keyOf(run));
      return next.length === 0 ? [] : [{ ...run, events: next.flatMap((later) => later.events) }];
    });
    following.forEach(enter);
    transmit(following);
  };

  const transmit = (page: readonly Run[]) => {
    if (page.length > 0) {
      const sending = send(page).finally(() => underway.delete(sending));
      underway.add(pending(sending));
    }
  };

  /**
   * Sends events of this process as soon as they are committed, without reading the table: those of aggregates whose
   * earlier events this relay has sent. The others are found in the table.
   */
  const handOver = (events: readonly BusEvent[]) => {
    const isOwner = looping !== undefined && !draining && clock.monotonicMs() <= ownedUntilMs;
    const page: Run[] = [];
    for (const run of isOwner ? byAggregate(events) : []) {
      const key = keyOf(run);
      const queue = inTransit.get(key);
      handedOver.add(key);
      if (!owned.has(bucketOf(run.tenant, run.aggregate))) {
        continue;
      }
      if (failures.has(key) || !progress.isNext(run) || (queue === undefined && busy.size >= concurrency)) {
        progress.forget(run);
        look();
      } else if (queue === undefined) {
        enter(run);
        page.push(run);
      } else {
        queue.push(run);
        progress.advance(run);
      }
    }
    if (!isOwner) {
      look();
    }
    transmit(page);
  };

  /** Marks what the bus has taken. One statement. */
  const markTaken = async () => {
    const runs = taken;
    clearTimeout(marking);
    marking = undefined;
    if (runs.length > 0) {
      await unsent.mark(runs);
      taken = taken.slice(runs.length);
      for (const run of runs) {
        failures.delete(keyOf(run));
        leave(run);
      }
      stale ||= hidden;
      hidden &&= busy.size > 0;
    }
  };

  /** Renews the lease before it expires. */
  const maintain = async () => {
    const nowMs = clock.monotonicMs();
    if (nowMs >= renewAtMs) {
      buckets = await leases.renew();
      owned = new Set(buckets);
      ownedUntilMs = nowMs + leaseMs;
      renewAtMs = nowMs + leaseMs / 2;
      stale = true;
    }
  };

  /** Sends one page of unsent events; returns whether there may be more. */
  const sendPage = async (): Promise<boolean> => {
    const room = concurrency - busy.size;
    if (!stale || room <= 0 || buckets.length === 0 || clock.monotonicMs() > ownedUntilMs) {
      return false;
    }
    stale = false;
    hidden ||= busy.size > 0;
    handedOver = new Set();
    const events = await unsent.find({ buckets, limit: PAGE, without: [...busy.keys()], after });
    const found = byAggregate(events).slice(0, room);
    const full = events.length === PAGE || found.length === room;
    const wrapped = after !== undefined && !full;
    after = full ? found.at(-1) : undefined;
    // What was handed over meanwhile is in transit, unless it could not be sent.
    const runs = found.filter((run) => !inTransit.has(keyOf(run)) && !handedOver.has(keyOf(run)));
    hidden ||= runs.length < found.length;
    runs.forEach(enter);
    const [sound, failed] = [
      runs.filter((run) => !failures.has(keyOf(run))),
      runs.filter((run) => failures.has(keyOf(run))),
    ];
    for (const page of [sound, ...failed.map((run) => [run])]) {
      transmit(page);
    }
    stale ||= full || wrapped;
    return full || wrapped;
  };

  const loop = async () => {
    while (!draining) {
      nudged = Promise.withResolvers();
      try {
        await maintain();
        await markTaken();
        if (await sendPage()) {
          continue;
        }
      } catch (error) {
        stale = true;
        log.warn({ err: error }, "the outbox could not be read");
      }
      const timer = setTimeout(look, buckets.length === BUCKETS ? pollMs * ALONE_POLL_FACTOR : pollMs).unref();
      await nudged.promise;
      clearTimeout(timer);
    }
  };

  /** Forgets what earlier runs left: the process may have been suspended since. */
  const reset = () => {
    timers.forEach(clearTimeout);
    timers.clear();
    busy.clear();
    inTransit.clear();
    progress.clear();
    failures.clear();
    after = undefined;
    hidden = false;
    renewAtMs = 0;
  };

  /** Whether there are unsent events, backing-off ones apart, in the buckets of other relays. */
  const othersHaveMore = async (): Promise<boolean> => {
    if (buckets.length === BUCKETS) {
      return false;
    }
    const all = Array.from({ length: BUCKETS }, (_, bucket) => bucket);
    const more = await unsent.find({ buckets: all, limit: 1, without: [...busy.keys()], after: undefined });
    return more.length > 0;
  };

  const runDue: Job = async (signal) => {
    reset();
    let any = false;
    try {
      while (!signal.aborted && !draining) {
        await maintain();
        const more = await sendPage();
        any ||= underway.size > 0;
        await Promise.all(underway);
        await markTaken();
        if (!more && !stale) {
          if (!(await othersHaveMore())) {
            break;
          }
          await sleep(SHARE_POLL_MS);
          renewAtMs = 0;
        }
      }
    } finally {
      await markTaken();
      await leases.release();
      reset();
    }
    return any;
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
      await markTaken();
      await leases.release();
    }
  };

  options.outbox.onCommitted(handOver);
  return {
    everyMs: pollMs,
    start() {
      looping ??= loop();
    },
    runDue,
    nudge: look,
    drain,
    [Symbol.asyncDispose]: drain,
  };
}

/** The relay as a row of the service's job table. */
export function outboxJob(relay: OutboxRelay): JobRow {
  return { name: "outbox", does: "Publishes the events of committed transactions.", work: relay, drainsLast: true };
}

/** Splits events into runs, one per aggregate. */
function byAggregate(events: readonly BusEvent[]): readonly Run[] {
  const runs = Map.groupBy(events, keyOf);
  return [...runs.values()].map((of) => ({
    tenant: of[0]?.tenant ?? "",
    aggregate: of[0]?.aggregate ?? "",
    events: of,
  }));
}
