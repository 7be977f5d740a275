import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionPool, Consumer, FetchIsolationLevels, type KafkaRecord } from "@platformatic/kafka";
import type { Logger } from "../../telemetry/log.ts";
import type { BusEvent } from "../event-bus.ts";
import { clientOptions, type KafkaOptions } from "./connection.ts";
import { partitionsOutOfRange, recordsOf } from "./fetch.ts";
import { createOffsets } from "./offsets.ts";
import { append, type Partition, wantsEvents } from "./partitions.ts";

export interface MemberOptions {
  readonly kafka: KafkaOptions;
  readonly group: string;
  readonly topics: readonly string[];
  readonly log: Logger;
  /** Returns undefined for a record that is of no interest. */
  readonly toEvent: (record: KafkaRecord) => BusEvent | undefined;
  /** Called when events were appended to partitions. */
  readonly onEvents: () => void;
  /** Resolves when no event of these partitions is being handled, or when that takes too long. */
  readonly release: (partitions: readonly Partition[]) => Promise<void>;
}

/** A member of a consumer group. Disposing it commits what is done and leaves the group. */
export interface GroupMember extends AsyncDisposable {
  /** What the member owns at the moment. */
  partitions(): readonly Partition[];
  /** Commits what is done, soon: commits while one is in flight share the next one. */
  commit(): void;
  /** Resolves with the reason if the member can no longer work. */
  readonly failed: Promise<Error>;
}

/** How long a fetch waits for events. */
const fetchWaitMs = 500;
const maxFetchBytes = 8 * 1024 * 1024;
const maxPartitionBytes = 1024 * 1024;
const retryMs = 250;
/** How long closing waits for a broker that may be away. */
const closeMs = 3_000;

/**
 * Joins a group and fetches the events of the partitions that it gets. Partitions move cooperatively: a member keeps
 * what is not taken from it, and before it gives up a partition, it waits for the handler and commits.
 */
export async function joinGroup(options: MemberOptions): Promise<GroupMember> {
  const { kafka, group, topics, log, toEvent, onEvents, release } = options;
  const base = clientOptions(kafka);
  const { sessionTimeoutMs = 10_000 } = kafka;
  const owned = new Map<string, Partition>();
  const fetching = new Map<number, Promise<void>>();
  const failure = Promise.withResolvers<Error>();
  let closed = false;
  let woken = Promise.withResolvers<void>();

  /** Gives up what is no longer assigned. The library calls it before each request to join, and waits for it. */
  const giveUpRevoked = async () => {
    const kept = new Set(keysOf(consumer));
    const revoked = [...owned].filter(([key]) => !kept.has(key));
    if (revoked.length > 0) {
      const partitions = revoked.map(([, partition]) => partition);
      for (const [key] of revoked) {
        owned.delete(key);
      }
      await release(partitions);
      await within(closeMs, offsets.commit(partitions)).catch((error: unknown) => {
        log.debug({ err: error, group }, "offsets of revoked partitions were not committed; their events come again");
      });
    }
    return Buffer.alloc(0);
  };

  const consumer = new Consumer({
    ...base,
    groupId: group,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: 2 * sessionTimeoutMs,
    heartbeatInterval: sessionTimeoutMs / 10,
    protocols: [{ name: "cooperative-sticky", version: 3 }],
    protocolsMetadata: giveUpRevoked,
    isolationLevel: FetchIsolationLevels.READ_COMMITTED,
  });
  // Requests that wait, for events or for other members, hold up everything behind them on their connection.
  const fetchConnections = new ConnectionPool(kafka.clientId, base);
  const commitConnections = new ConnectionPool(kafka.clientId, base);
  const offsets = createOffsets(consumer, commitConnections);

  const openAssigned = async () => {
    const { generationId } = consumer;
    for (const { topic, partitions } of consumer.assignments ?? []) {
      const added = partitions.filter((index) => !owned.has(keyOf(topic, index)));
      const opened = added.length === 0 ? [] : await offsets.open(topic, added);
      if (consumer.generationId !== generationId || closed) {
        return;
      }
      for (const partition of opened) {
        owned.set(keyOf(topic, partition.index), partition);
      }
    }
    woken.resolve();
  };

  const fetchFrom = async (node: number, wanted: readonly Partition[], topicIds: ReadonlyMap<string, string>) => {
    const from = new Map(wanted.map((partition) => [partition, partition.next]));
    const names = new Map([...topicIds].map(([name, id]) => [id, name]));
    const at = (topicId: string, index: number) => owned.get(keyOf(names.get(topicId) ?? "", index));
    try {
      const { responses } = await consumer.fetch({
        node,
        maxWaitTime: fetchWaitMs,
        minBytes: 1,
        maxBytes: maxFetchBytes,
        connectionPool: fetchConnections,
        topics: wanted.map(({ topic, index, next }) => ({
          topicId: topicIds.get(topic) ?? "",
          partitions: [
            {
              partition: index,
              fetchOffset: next,
              currentLeaderEpoch: -1,
              lastFetchedEpoch: -1,
              partitionMaxBytes: maxPartitionBytes,
            },
          ],
        })),
      });
      for (const { topicId, partitions } of responses) {
        for (const fetched of partitions) {
          const partition = at(topicId, fetched.partitionIndex);
          const offset = partition && from.get(partition);
          if (partition !== undefined && offset !== undefined && partition.next === offset) {
            take(partition, fetched);
          }
        }
      }
    } catch (error) {
      const outOfRange = partitionsOutOfRange(error).map(({ topicId, index }) => at(topicId, index));
      for (const partition of outOfRange) {
        if (partition !== undefined) {
          partition.lost = true;
          const { topic, index, next } = partition;
          log.error({ group, topic, partition: index, offset: `${next}` }, "events were deleted before they were read");
        }
      }
      if (!closed && outOfRange.length === 0) {
        log.warn({ err: error, group, node }, "events could not be fetched");
        await sleep(retryMs);
      }
    }
  };

  const take = (partition: Partition, fetched: Parameters<typeof recordsOf>[0]) => {
    const { records, next } = recordsOf(fetched, partition.next);
    if (next > partition.next) {
      const events = records.flatMap(([offset, record]) => {
        const event = toEvent(record);
        return event === undefined ? [] : [{ offset, event }];
      });
      append(partition, events, next);
      onEvents();
      if (events.length === 0) {
        commit();
      }
    }
  };

  /** Starts fetches: one at a time from each broker. */
  const fetchLoop = async () => {
    while (!closed) {
      woken = Promise.withResolvers();
      const wanted = [...owned.values()].filter(wantsEvents);
      if (wanted.length > 0) {
        const metadata = await consumer.metadata({ topics: [...topics] });
        const topicIds = new Map([...metadata.topics].map(([name, { id }]) => [name, id]));
        const byLeader = Map.groupBy(
          wanted,
          ({ topic, index }) => metadata.topics.get(topic)?.partitions[index]?.leader,
        );
        for (const [leader = -1, partitions] of byLeader) {
          if (leader >= 0 && !fetching.has(leader)) {
            const fetched = fetchFrom(leader, partitions, topicIds).finally(() => {
              fetching.delete(leader);
              woken.resolve();
            });
            fetching.set(leader, fetched);
          }
        }
        if (fetching.size === 0) {
          // No partition has a leader.
          consumer.clearMetadata();
          await sleep(retryMs);
          continue;
        }
      }
      await woken.promise;
    }
  };

  let committing: Promise<void> | undefined;
  let behind = false;
  const commitLoop = async () => {
    while (behind && !closed) {
      behind = false;
      await offsets.commit(owned.values()).catch(async (error: unknown) => {
        // Refused during a rebalance, or the coordinator is away. What was handled stays so: the inbox knows it.
        log.debug({ err: error, group }, "offsets were not committed; trying again");
        behind = true;
        await sleep(retryMs);
      });
    }
    committing = undefined;
  };
  const commit = () => {
    behind = true;
    committing ??= commitLoop();
    woken.resolve();
  };

  const fail = (error: unknown) => failure.resolve(error instanceof Error ? error : new Error(String(error)));
  const close = async () => {
    closed = true;
    woken.resolve();
    await committing;
    await within(closeMs, offsets.commit(owned.values())).catch((error: unknown) => {
      log.debug({ err: error, group }, "the last offsets were not committed; their events come again");
    });
    owned.clear();
    await within(closeMs, consumer.close(true)).catch((error: unknown) => {
      log.debug({ err: error, group }, "the group was not left; its coordinator notices");
    });
    await Promise.all([fetchConnections.close(), commitConnections.close()]);
    await Promise.all([...fetching.values(), looping]);
  };

  let opening = Promise.resolve();
  let looping: Promise<void> | undefined;
  consumer.on("consumer:group:join", () => {
    opening = opening.then(openAssigned).catch(fail);
  });
  consumer.on("consumer:heartbeat:stalled", () => fail(new Error("the group's coordinator is not responding")));
  (consumer as NodeJS.EventEmitter).on("error", fail);
  for (const topic of topics) {
    consumer.topics.track(topic);
  }
  try {
    await consumer.joinGroup({});
  } catch (error) {
    await close();
    throw error;
  }
  looping = fetchLoop().catch(fail);
  return {
    partitions: () => [...owned.values()],
    commit,
    failed: failure.promise,
    [Symbol.asyncDispose]: close,
  };
}

function keyOf(topic: string, index: number): string {
  return `${topic}/${index}`;
}

/** The keys of the assigned partitions. */
function keysOf({ assignments }: Consumer): string[] {
  return (assignments ?? []).flatMap(({ topic, partitions }) => partitions.map((index) => keyOf(topic, index)));
}

/** Rejects after `ms`, whatever becomes of the work. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  const done = new AbortController();
  const late = sleep(ms, undefined, { signal: done.signal }).then(() =>
    Promise.reject(new Error(`not within ${ms} ms`)),
  );
  late.catch(() => {});
  try {
    await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}
