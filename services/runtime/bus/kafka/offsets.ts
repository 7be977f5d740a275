import { type ConnectionPool, type Consumer, ListOffsetTimestamps, offsetCommitV8 } from "@platformatic/kafka";
import { createPartition, type Partition } from "./partitions.ts";

/** What a consumer of a group does with offsets. */
export interface Offsets {
  /** The partitions from where the group has handled them, or else from the first event of the log. */
  open(topic: string, indexes: readonly number[]): Promise<readonly Partition[]>;
  /** Tells the coordinator what is handled. Rejects if it does not accept that, for example after a rebalance. */
  commit(partitions: Iterable<Partition>): Promise<void>;
}

/**
 * Commits go by a connection of their own and are not repeated here: the library's own `commit` joins the group again
 * when it is refused, which a commit during a rebalance must not do.
 */
export function createOffsets(consumer: Consumer, connections: ConnectionPool): Offsets {
  const connect = async () => {
    const coordinator = await consumer.findGroupCoordinator();
    const broker = (await consumer.metadata({ topics: [...consumer.topics.current] })).brokers.get(coordinator);
    if (broker === undefined) {
      throw new Error(`the coordinator of group ${consumer.groupId} is unknown`);
    }
    return connections.get(broker);
  };

  return {
    async open(topic, indexes) {
      const partitions = [...indexes];
      const committed = await consumer.listCommittedOffsets({ topics: [{ topic, partitions }] });
      const earliest = await consumer.listOffsets({
        topics: [topic],
        partitions: { [topic]: partitions },
        timestamp: ListOffsetTimestamps.EARLIEST,
      });
      return partitions.map((index) => {
        const handled = committed.get(topic)?.[index] ?? -1n;
        const first = earliest.get(topic)?.[index];
        if (first === undefined) {
          throw new Error(`the first offset of ${topic}/${index} is unknown`);
        }
        return createPartition(topic, index, handled >= 0n ? handled : first);
      });
    },

    async commit(partitions) {
      const behind = [...partitions]
        .filter(({ done, committed }) => done > committed)
        .map((partition) => ({ partition, offset: partition.done }));
      if (behind.length === 0) {
        return;
      }
      const topics = [...Map.groupBy(behind, ({ partition }) => partition.topic)].map(([name, parts]) => ({
        name,
        partitions: parts.map(({ partition: { index }, offset }) => ({
          partitionIndex: index,
          committedOffset: offset,
          committedLeaderEpoch: -1,
          committedMetadata: null,
        })),
      }));
      const { groupId, generationId, memberId } = consumer;
      await offsetCommitV8.api.async(await connect(), groupId, generationId, memberId ?? "", null, topics);
      for (const { partition, offset } of behind) {
        partition.committed = offset;
      }
    },
  };
}
