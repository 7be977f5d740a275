import { setTimeout as sleep } from "node:timers/promises";
import type { KafkaRecord } from "@platformatic/kafka";
import type { Logger } from "../../telemetry/log.ts";
import { type Backoff, fullJitterMs } from "../../values/backoff.ts";
import type { BatchHandler, BusEvent } from "../event-bus.ts";
import { decodeEvent } from "./cloud-event.ts";
import type { KafkaOptions } from "./connection.ts";
import { type GroupMember, joinGroup } from "./group-member.ts";
import { type Batch, finish, type Partition, putBack, takeBatch } from "./partitions.ts";

export interface SubscriptionOptions {
  readonly kafka: KafkaOptions;
  readonly group: string;
  readonly topics: readonly string[];
  readonly types: ReadonlySet<string>;
  readonly handler: BatchHandler;
  readonly log: Logger;
  /** Random number in [0, 1) for jitter. */
  readonly random: () => number;
  /** Delay before a rejected batch is redelivered, and before a group is joined again. */
  readonly redelivery: Backoff;
}

/** A consumer of a group. Disposing it waits for the handler, commits and leaves the group. */
export interface Subscription extends AsyncDisposable {
  /** Why no event, or not every event, reaches the handler. Undefined if all is well. */
  problem(): string | undefined;
}

/** How long a partition that moves waits for the handler. Longer ones finish, but their events come again elsewhere. */
const releaseMs = 6_000;

/** Subscribes: joins the group, again after each failure, and hands the events of its partitions on in batches. */
export function createSubscription(options: SubscriptionOptions): Subscription {
  const { kafka, group, topics, types, handler, log, random, redelivery } = options;
  const leaving = new AbortController();
  let member: GroupMember | undefined;
  let trouble: string | undefined = "has not joined its group yet";
  let current: { readonly batch: Batch; readonly cut: AbortController; readonly done: Promise<void> } | undefined;
  let woken = Promise.withResolvers<void>();
  let turn = 0;

  const toEvent = (record: KafkaRecord): BusEvent | undefined => {
    const event = decodeEvent(record);
    if (event === undefined) {
      log.error({ group, key: record.key?.toString() }, "a record is not a CloudEvent of Docket and is skipped");
    }
    return event !== undefined && types.has(event.type) ? event : undefined;
  };

  const release = async (partitions: readonly Partition[]) => {
    if (current !== undefined && partitions.some((partition) => current?.batch.parts.has(partition))) {
      current.cut.abort();
      const patience = new AbortController();
      const late = sleep(releaseMs, undefined, { signal: patience.signal }).catch(() => {});
      await Promise.race([current.done, late]);
      patience.abort();
    }
  };

  /** Delivers a batch until the handler resolves, the subscription ends, or one of its partitions moves. */
  const deliver = async (batch: Batch, cut: AbortSignal) => {
    const stop = AbortSignal.any([cut, leaving.signal]);
    for (let failures = 1; ; failures++) {
      try {
        await handler(batch.events);
        finish(batch);
        member?.commit();
        return;
      } catch (error) {
        const { length: events, 0: first } = batch.events;
        log.warn(
          { err: error, consumer: group, events, first: first?.id, failures },
          "event handler failed; the batch will be redelivered",
        );
        await sleep(fullJitterMs(failures, redelivery, random), undefined, { signal: stop }).catch(() => {});
        if (stop.aborted) {
          putBack(batch);
          return;
        }
      }
    }
  };

  const work = async () => {
    while (!leaving.signal.aborted) {
      woken = Promise.withResolvers();
      const partitions = member?.partitions() ?? [];
      turn += 1;
      const first = turn % Math.max(1, partitions.length);
      const batch = takeBatch([...partitions.slice(first), ...partitions.slice(0, first)]);
      if (batch === undefined) {
        await woken.promise;
        continue;
      }
      const cut = new AbortController();
      const done = deliver(batch, cut.signal);
      current = { batch, cut, done };
      await done;
      current = undefined;
    }
  };

  const stayInGroup = async () => {
    const left = new Promise<undefined>((resolve) =>
      leaving.signal.addEventListener("abort", () => resolve(undefined), { once: true }),
    );
    const onEvents = () => woken.resolve();
    for (let failures = 1; !leaving.signal.aborted; failures++) {
      try {
        member = await joinGroup({ kafka, group, topics, log, toEvent, onEvents, release });
        failures = 0;
        trouble = undefined;
        woken.resolve();
        const failed = await Promise.race([member.failed, left]);
        if (failed !== undefined) {
          throw failed;
        }
      } catch (error) {
        trouble = `is not in its group: ${error instanceof Error ? error.message : error}`;
        log.warn({ err: error, group }, "the consumer group was lost and will be joined again");
      }
      if (leaving.signal.aborted) {
        await working;
      } else {
        await release(member?.partitions() ?? []);
      }
      const ended = member;
      member = undefined;
      await ended?.[Symbol.asyncDispose]();
      const delay = fullJitterMs(Math.max(1, failures), redelivery, random);
      await sleep(delay, undefined, { signal: leaving.signal }).catch(() => {});
    }
  };

  const working = work();
  const staying = stayInGroup();
  return {
    problem() {
      const lost = member?.partitions().filter((partition) => partition.lost) ?? [];
      return lost.length === 0 ? trouble : `has lost events, which were deleted before it read them: ${placesOf(lost)}`;
    },
    async [Symbol.asyncDispose]() {
      leaving.abort();
      woken.resolve();
      await working;
      await staying;
    },
  };
}

function placesOf(partitions: readonly Partition[]): string {
  return partitions.map(({ topic, index, next }) => `partition ${index} of ${topic} from offset ${next} on`).join(", ");
}
