import { type BusEvent, batchLimits } from "../event-bus.ts";

/** An event that was fetched. */
interface Fetched {
  readonly offset: bigint;
  readonly event: BusEvent;
}

/** A partition that this consumer owns, with the events that were fetched and not handled. */
export interface Partition {
  readonly topic: string;
  readonly index: number;
  queue: Fetched[];
  queuedBytes: number;
  /** The offset to fetch from. */
  next: bigint;
  /** Everything before this offset is handled. */
  done: bigint;
  /** The offset that the group's coordinator knows. */
  committed: bigint;
  /** Whether a batch with events of this partition is being handled. */
  handling: boolean;
  /** Whether `next` is not in the log, because events were deleted before they were read. */
  lost: boolean;
}

/** Events of several partitions, each in order, that are handled together. */
export interface Batch {
  readonly events: readonly BusEvent[];
  readonly parts: ReadonlyMap<Partition, readonly Fetched[]>;
}

/** A partition with more than this is not fetched: two batches, so that the next one is there when one is done. */
const queueLimits = { maxEvents: 2 * batchLimits.maxEvents, maxBytes: 2 * batchLimits.maxBytes };

export function createPartition(topic: string, index: number, next: bigint): Partition {
  const queue: Fetched[] = [];
  return { topic, index, queue, queuedBytes: 0, next, done: next, committed: next, handling: false, lost: false };
}

/** Whether the partition is to be fetched: backpressure from the handler pauses it. */
export function wantsEvents({ queue, queuedBytes, lost }: Partition): boolean {
  return !lost && queue.length < queueLimits.maxEvents && queuedBytes < queueLimits.maxBytes;
}

/** Appends what was fetched, and moves on to `next`, behind the records that are of no interest. */
export function append(partition: Partition, fetched: readonly Fetched[], next: bigint): void {
  for (const each of fetched) {
    partition.queue.push(each);
    partition.queuedBytes += each.event.data.length;
  }
  partition.next = next;
  settle(partition);
}

/** Takes the next batch, at most {@link batchLimits}, from the partitions in turn. Undefined if there is nothing. */
export function takeBatch(partitions: readonly Partition[]): Batch | undefined {
  const parts = new Map<Partition, readonly Fetched[]>();
  const events: BusEvent[] = [];
  let bytes = 0;
  for (const partition of partitions) {
    const { queue } = partition;
    let count = 0;
    for (const { event } of queue) {
      const size = event.data.length;
      if (events.length === batchLimits.maxEvents || (events.length > 0 && bytes + size > batchLimits.maxBytes)) {
        break;
      }
      events.push(event);
      bytes += size;
      partition.queuedBytes -= size;
      count += 1;
    }
    if (count > 0) {
      parts.set(partition, queue.slice(0, count));
      partition.queue = queue.slice(count);
      partition.handling = true;
    }
  }
  return events.length === 0 ? undefined : { events, parts };
}

/** Notes that a batch was handled. */
export function finish({ parts }: Batch): void {
  for (const partition of parts.keys()) {
    partition.handling = false;
    settle(partition);
  }
}

/** Puts a batch that was not handled back in front of the queues. */
export function putBack({ parts }: Batch): void {
  for (const [partition, fetched] of parts) {
    partition.handling = false;
    partition.queue = [...fetched, ...partition.queue];
    partition.queuedBytes += fetched.reduce((sum, { event }) => sum + event.data.length, 0);
  }
}

/** Moves `done` to the first event that is not handled. */
function settle(partition: Partition): void {
  if (!partition.handling) {
    partition.done = partition.queue[0]?.offset ?? partition.next;
  }
}
