import { createHash } from "node:crypto";

/** Buckets of the keys. Those of a bucket live on one node of a cluster, with the channel of their invalidations. */
export const bucketCount = 16;

export const buckets: readonly number[] = Array.from({ length: bucketCount }, (_, bucket) => bucket);

/** Returns the bucket of a key. The same in every process and version. */
export function bucketOf(cache: string, key: string): number {
  return createHash("sha256").update(`${cache}\0${key}`).digest().readUInt8(0) % bucketCount;
}

/** Names in Redis. The text in braces decides about the node. */
export function namesIn(prefix: string) {
  const of = (bucket: number) => `{${prefix}:cache:${bucket}}`;
  return {
    entry: (cache: string, key: string) => `${of(bucketOf(cache, key))}:${cache}:${key}`,
    sequence: (bucket: number) => `${of(bucket)}:sequence`,
    channel: (bucket: number) => `${of(bucket)}:invalidations`,
  };
}
