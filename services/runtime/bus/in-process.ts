import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../telemetry/log.ts";
import { type Backoff, fullJitterMs } from "../values/backoff.ts";
import { type BatchHandler, type BusEvent, batchLimits, type EventBus } from "./event-bus.ts";

export interface InProcessBusOptions {
  readonly log: Logger;
  /** Random number in [0, 1) for jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Delay before a rejected batch is redelivered. Default 50 ms up to 10 s. */
  readonly redelivery?: Backoff;
}

/** An event on its way to one consumer. */
interface Delivery {
  readonly event: BusEvent;
  readonly settle: PromiseWithResolvers<void>;
}

/** A subscription. */
interface Member {
  readonly handler: BatchHandler;
  /** Aborted when the subscription ends. */
  readonly leaving: AbortController;
  /** Delivery in progress; undefined while there is nothing to deliver. */
  working: Promise<void> | undefined;
}

/**
 * State of one consumer name. It outlives the subscriptions, because an event without a handler must not count as safe.
 */
interface Consumer {
  readonly name: string;
  readonly types: Set<string>;
  readonly members: Set<Member>;
  /** Deliveries that no member has taken, in the order of publication. */
  queue: Delivery[];
  /** Aggregates of the batches that members are handling. */
  readonly busy: Set<string>;
}

/**
 * Event bus within a single process. It stores nothing: `publish` resolves once every consumer's handler has resolved,
 * so durability comes from the outbox row, which stays unsent until then. A handler receives the same batch until it
 * resolves. `publish` rejects if the bus is disposed or the consumer's last subscription ends meanwhile. Events of
 * types without any subscription so far are dropped, so consumers must subscribe before anything is published.
 */
export function createInProcessBus(options: InProcessBusOptions): EventBus {
  const { log, random = Math.random, redelivery = { initialMs: 50, maxMs: 10_000 } } = options;
  const consumers = new Map<string, Consumer>();
  let closed = false;

  /** Delivers a batch until the handler resolves or the subscription ends. */
  const deliver = async (consumer: Consumer, { handler, leaving }: Member, batch: readonly Delivery[]) => {
    const events = batch.map(({ event }) => event);
    for (let failures = 1; ; failures++) {
      try {
        await handler(events);
        for (const { settle } of batch) {
          settle.resolve();
        }
        return;
      } catch (error) {
        log.warn(
          { err: error, consumer: consumer.name, events: events.length, first: events[0]?.id, failures },
          "event handler failed; the batch will be redelivered",
        );
        await sleep(fullJitterMs(failures, redelivery, random), undefined, { signal: leaving.signal }).catch(() => {});
        if (leaving.signal.aborted) {
          consumer.queue.unshift(...batch);
          return;
        }
      }
    }
  };

  const work = async (consumer: Consumer, member: Member) => {
    // Events that are published in the same turn share a batch.
    await Promise.resolve();
    while (!member.leaving.signal.aborted) {
      const batch = takeBatch(consumer);
      if (batch.length === 0) {
        break;
      }
      const aggregates = new Set(batch.map(({ event }) => keyOf(event)));
      for (const aggregate of aggregates) {
        consumer.busy.add(aggregate);
      }
      await deliver(consumer, member, batch);
      for (const aggregate of aggregates) {
        consumer.busy.delete(aggregate);
      }
      wake(consumer);
    }
    member.working = undefined;
  };

  /** Starts the members that are idle, or rejects what waits if there are none. */
  const wake = (consumer: Consumer) => {
    if (consumer.members.size === 0) {
      const error = new Error(`consumer ${consumer.name} is no longer subscribed`);
      for (const { settle } of consumer.queue.splice(0)) {
        settle.reject(error);
      }
    }
    for (const member of consumer.members) {
      member.working ??= work(consumer, member);
    }
  };

  const leave = async (consumer: Consumer, member: Member) => {
    consumer.members.delete(member);
    member.leaving.abort();
    wake(consumer);
    await member.working;
  };

  return {
    async publish(events) {
      if (closed) {
        throw new Error("the bus is closed");
      }
      const deliveries: Promise<void>[] = [];
      for (const consumer of consumers.values()) {
        for (const event of events.filter(({ type }) => consumer.types.has(type))) {
          const settle = Promise.withResolvers<void>();
          consumer.queue.push({ event, settle });
          deliveries.push(settle.promise);
        }
      }
      const outcomes = Promise.allSettled(deliveries);
      consumers.forEach(wake);
      for (const outcome of await outcomes) {
        if (outcome.status === "rejected") {
          throw outcome.reason;
        }
      }
    },

    subscribe(name, types, handler) {
      const consumer = consumers.get(name) ?? createConsumer(name);
      consumers.set(name, consumer);
      for (const type of types) {
        consumer.types.add(type);
      }
      const member: Member = { handler, leaving: new AbortController(), working: undefined };
      consumer.members.add(member);
      return { [Symbol.asyncDispose]: () => leave(consumer, member) };
    },

    async [Symbol.asyncDispose]() {
      closed = true;
      const leaves = [...consumers.values()].flatMap((consumer) =>
        [...consumer.members].map((member) => leave(consumer, member)),
      );
      await Promise.all(leaves);
    },
  };
}

/**
 * Takes the next batch from the queue: at most {@link batchLimits}, in order, without the aggregates that another member
 * is handling.
 */
function takeBatch(consumer: Consumer): readonly Delivery[] {
  const { queue, busy } = consumer;
  const batch: Delivery[] = [];
  const left: Delivery[] = [];
  let bytes = 0;
  let next = 0;
  for (; next < queue.length && batch.length < batchLimits.maxEvents; next++) {
    const delivery = queue[next] as Delivery;
    if (busy.has(keyOf(delivery.event))) {
      left.push(delivery);
      continue;
    }
    bytes += delivery.event.data.length;
    if (batch.length > 0 && bytes > batchLimits.maxBytes) {
      break;
    }
    batch.push(delivery);
  }
  consumer.queue = [...left, ...queue.slice(next)];
  return batch;
}

function keyOf({ tenant, aggregate }: BusEvent): string {
  return `${tenant}\0${aggregate}`;
}

function createConsumer(name: string): Consumer {
  return { name, types: new Set(), members: new Set(), queue: [], busy: new Set() };
}
