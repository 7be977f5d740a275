import { Admin } from "@platformatic/kafka";
import type { Check } from "../../process/checks.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Backoff } from "../../values/backoff.ts";
import type { EventBus } from "../event-bus.ts";
import { clientOptions, type KafkaOptions } from "./connection.ts";
import { createSender } from "./sender.ts";
import { createSubscription, type Subscription } from "./subscription.ts";
import { packageOf, topicOf } from "./topics.ts";

export interface KafkaBusOptions {
  readonly kafka: KafkaOptions;
  /** The packages of event types that have a topic; see `TopicPlan`. */
  readonly packages: readonly string[];
  readonly log: Logger;
  /** Random number in [0, 1) for jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Delay before a rejected batch is redelivered. Default 50 ms up to 10 s. */
  readonly redelivery?: Backoff;
}

export interface KafkaBus extends EventBus {
  /** Whether brokers respond and every subscription gets its events. Reported as a warning: calls work without. */
  readonly check: Check;
}

/**
 * Event bus on Kafka: one topic per package of event types, and one consumer group per
 * consumer name. An event whose `publish` resolved is on all in-sync replicas. A consumer that is new begins with the
 * first event of the log; offsets are committed after the handler has resolved. The topics must exist; see
 * `createTopics`.
 *
 * A batch is what waits in all partitions of a subscription, so that one transaction handles it. A subscription whose
 * events were deleted before it read them stops at that partition, and the check says so; it skips nothing.
 */
export function createKafkaBus({ kafka, packages, log, ...options }: KafkaBusOptions): KafkaBus {
  const { random = Math.random, redelivery = { initialMs: 50, maxMs: 10_000 } } = options;
  const sender = createSender(kafka);
  const admin = new Admin({ ...clientOptions(kafka), retries: 0 });
  const subscriptions = new Map<Subscription, string>();

  return {
    publish: (events) => sender.send(events),

    subscribe(consumer, types, handler) {
      const homeless = types.find((type) => !packages.includes(packageOf(type)));
      if (homeless !== undefined) {
        throw new Error(`events of type ${homeless} have no topic, so ${consumer} cannot consume them`);
      }
      const topics = [...new Set(types.map((type) => topicOf(kafka.prefix, type)))].sort();
      const group = `${kafka.prefix}${consumer}`;
      const wanted = new Set(types);
      const subscription = createSubscription({
        kafka,
        group,
        topics,
        types: wanted,
        handler,
        log,
        random,
        redelivery,
      });
      subscriptions.set(subscription, consumer);
      return {
        async [Symbol.asyncDispose]() {
          subscriptions.delete(subscription);
          await subscription[Symbol.asyncDispose]();
        },
      };
    },

    check: {
      policy: "degraded",
      async run() {
        await admin.metadata({ topics: [], forceUpdate: true });
        const problems = [...subscriptions].flatMap(([subscription, consumer]) => {
          const problem = subscription.problem();
          return problem === undefined ? [] : [`${consumer} ${problem}`];
        });
        return problems.length === 0 ? undefined : { status: "fail", error: problems.join("; ") };
      },
    },

    async [Symbol.asyncDispose]() {
      const ended = [...subscriptions.keys()].map((subscription) => subscription[Symbol.asyncDispose]());
      await Promise.all(ended);
      await sender[Symbol.asyncDispose]();
      await admin.close();
    },
  };
}
