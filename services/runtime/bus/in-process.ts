import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../telemetry/log.ts";
import { type Backoff, fullJitterMs } from "../values/backoff.ts";
import type { BusEvent, EventBus, EventHandler } from "./event-bus.ts";

export interface InProcessBusOptions {
  readonly log: Logger;
  /** Random number in [0, 1) for jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Delay before a rejected event is redelivered. Default 50 ms up to 10 s. */
  readonly redelivery?: Backoff;
}

/**
 * State of one consumer name. It outlives the subscriptions, because an event without a handler must not count as safe.
 */
interface Consumer {
  readonly name: string;
  readonly types: Set<string>;
  readonly members: Set<EventHandler>;
  /** The latest delivery of each busy aggregate; the next one is chained to it. */
  readonly lanes: Map<string, Promise<void>>;
  /** Aborted while there is no subscription. */
  away: AbortController;
}

/**
 * Event bus within a single process. It stores nothing: `publish` resolves once every consumer's handler has resolved,
 * so durability comes from the outbox row, which stays unsent until then. A handler receives the same event until it
 * resolves. `publish` rejects if the bus is disposed or the consumer's last subscription ends meanwhile. Events of
 * types without any subscription so far are dropped, so consumers must subscribe before anything is published.
 */
export function createInProcessBus(options: InProcessBusOptions): EventBus {
  const { log, random = Math.random, redelivery = { initialMs: 50, maxMs: 10_000 } } = options;
  const consumers = new Map<string, Consumer>();
  const running = new Set<Promise<void>>();
  let closed = false;

  /** Picks the next handler, round-robin over the subscriptions of a consumer. */
  const nextMember = (consumer: Consumer): EventHandler => {
    const [member] = consumer.members;
    if (consumer.away.signal.aborted || member === undefined) {
      throw new Error(`consumer ${consumer.name} is no longer subscribed`);
    }
    consumer.members.delete(member);
    consumer.members.add(member);
    return member;
  };

  const deliver = async (consumer: Consumer, event: BusEvent): Promise<void> => {
    for (let failures = 1; ; failures++) {
      try {
        const handling = nextMember(consumer)(event);
        running.add(handling);
        await handling.finally(() => running.delete(handling));
        return;
      } catch (error) {
        const { signal } = consumer.away;
        if (signal.aborted) {
          throw error;
        }
        log.warn(
          { err: error, consumer: consumer.name, event: event.id, failures },
          "event handler failed; the event will be redelivered",
        );
        await sleep(fullJitterMs(failures, redelivery, random), undefined, { signal });
      }
    }
  };

  const enqueue = (consumer: Consumer, event: BusEvent): Promise<void> => {
    const key = `${event.tenant}\0${event.aggregate}`;
    const before = consumer.lanes.get(key) ?? Promise.resolve();
    const delivery = before.then(() => deliver(consumer, event));
    consumer.lanes.set(key, delivery);
    const leave = () => {
      if (consumer.lanes.get(key) === delivery) {
        consumer.lanes.delete(key);
      }
    };
    delivery.then(leave, leave);
    return delivery;
  };

  return {
    async publish(events) {
      if (closed) {
        throw new Error("the bus is closed");
      }
      const deliveries = events.flatMap((event) =>
        [...consumers.values()]
          .filter(({ types }) => types.has(event.type))
          .map((consumer) => enqueue(consumer, event)),
      );
      const outcomes = await Promise.allSettled(deliveries);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") {
          throw outcome.reason;
        }
      }
    },

    subscribe(name, types, handler) {
      const consumer = consumers.get(name) ?? createConsumer(name);
      consumers.set(name, consumer);
      if (consumer.away.signal.aborted && !closed) {
        consumer.away = new AbortController();
      }
      for (const type of types) {
        consumer.types.add(type);
      }
      const mine = new Set<Promise<void>>();
      const member: EventHandler = async (event) => {
        const handling = handler(event);
        mine.add(handling);
        await handling.finally(() => mine.delete(handling));
      };
      consumer.members.add(member);
      return {
        async [Symbol.asyncDispose]() {
          consumer.members.delete(member);
          if (consumer.members.size === 0) {
            consumer.away.abort();
          }
          await Promise.allSettled(mine);
        },
      };
    },

    async [Symbol.asyncDispose]() {
      closed = true;
      for (const consumer of consumers.values()) {
        consumer.away.abort();
      }
      await Promise.allSettled(running);
    },
  };
}

function createConsumer(name: string): Consumer {
  return { name, types: new Set(), members: new Set(), lanes: new Map(), away: new AbortController() };
}
