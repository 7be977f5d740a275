import { findErrorBy, IS_CONTROL, type KafkaRecord, type RecordsBatch } from "@platformatic/kafka";

/** A partition's part of a response to a fetch. */
export interface FetchedPartition {
  readonly partitionIndex: number;
  readonly errorCode: number;
  readonly records?: readonly RecordsBatch[] | null;
}

const offsetOutOfRange = 1;

/** The records of a partition from an offset on, with the offset behind the last one that was read. */
export function recordsOf(
  { records }: FetchedPartition,
  from: bigint,
): { readonly records: readonly (readonly [offset: bigint, record: KafkaRecord])[]; readonly next: bigint } {
  const found: [bigint, KafkaRecord][] = [];
  let next = from;
  for (const batch of records ?? []) {
    // Brokers return whole batches, whose first records may be before the offset; markers of transactions are no events.
    for (const record of (batch.attributes & IS_CONTROL) === 0 ? batch.records : []) {
      const offset = batch.firstOffset + BigInt(record.offsetDelta);
      if (offset >= from) {
        found.push([offset, record]);
      }
    }
    const behind = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
    next = behind > next ? behind : next;
  }
  return { records: found, next };
}

interface FailedResponse {
  readonly responses: readonly { readonly topicId: string; readonly partitions: readonly FetchedPartition[] }[];
}

/** The partitions, as `topicId` and index, whose offset is not in the log, if that is why a fetch failed. */
export function partitionsOutOfRange(error: unknown): readonly { readonly topicId: string; readonly index: number }[] {
  const responses = responsesOf(error as Error);
  return responses.flatMap(({ topicId, partitions }) =>
    partitions
      .filter(({ errorCode }) => errorCode === offsetOutOfRange)
      .map(({ partitionIndex }) => ({ topicId, index: partitionIndex })),
  );
}

function responsesOf(error: Error): FailedResponse["responses"] {
  if (!findErrorBy(error, "apiId", "OFFSET_OUT_OF_RANGE")) {
    return [];
  }
  const { response, errors = [] } = error as Error & { response?: FailedResponse; errors?: readonly Error[] };
  return response?.responses ?? errors.flatMap(responsesOf);
}
