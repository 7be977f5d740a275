/** Number of shares of the aggregates among a database's relays. Part of the data: must not change. */
export const BUCKETS = 32;

/** A published event. Sent rows are pruned after a while, except an aggregate's last row, which holds its sequence. */
export interface OutboxMessagesTable {
  tenant_id: string;
  aggregate: string;
  sequence: number;
  id: string;
  type: string;
  source: string;
  /** Epoch milliseconds by the publisher's clock. */
  published_at: number;
  data: Uint8Array;
  /** CloudEvents extension attributes as a JSON object, or null. */
  extensions: string | null;
  /** The bucket, see {@link bucketOf}. */
  bucket: number;
  /** Epoch milliseconds by the database's clock; null until sent; 0 once kept only for its sequence. */
  sent_at: number | null;
}

/** Bucket leases: owner and expiry. All rows exist from the start. */
export interface OutboxBucketsTable {
  bucket: number;
  owner: string;
  leased_until: number;
}

/** Live relays, which determine each one's share. */
export interface OutboxRelaysTable {
  owner: string;
  leased_until: number;
}

/** Part of the schema type of every service that publishes. */
export interface OutboxTables {
  outbox_messages: OutboxMessagesTable;
  outbox_buckets: OutboxBucketsTable;
  outbox_relays: OutboxRelaysTable;
}

/**
 * The bucket of an aggregate: FNV-1a (draft-eastlake-fnv) of its tenant and name. Part of the data: must not change.
 */
export function bucketOf(tenant: string, aggregate: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${tenant}\0${aggregate}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % BUCKETS;
}
