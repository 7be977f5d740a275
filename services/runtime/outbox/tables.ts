/** Into how many shares the aggregates are divided among the relays of a database. Part of the data: it never changes. */
export const BUCKETS = 32;

/** One published event. Sent rows stay for a while; an aggregate's last row stays for good, as it holds its sequence. */
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
  /** CloudEvents extension attributes as a JSON object; null for none. */
  extensions: string | null;
  /** Which share it belongs to, see {@link bucketOf}. */
  bucket: number;
  /** Epoch milliseconds by the database's clock; null until it is sent; 0 once it is kept for its sequence alone. */
  sent_at: number | null;
}

/** Which relay sends which share, until when. All rows exist from the start. */
export interface OutboxBucketsTable {
  bucket: number;
  owner: string;
  leased_until: number;
}

/** The relays that live, so that each knows how many divide the shares. */
export interface OutboxRelaysTable {
  owner: string;
  leased_until: number;
}

/** To be part of the schema type of every service that publishes. */
export interface OutboxTables {
  outbox_messages: OutboxMessagesTable;
  outbox_buckets: OutboxBucketsTable;
  outbox_relays: OutboxRelaysTable;
}

/** The share of an aggregate: FNV-1a (draft-eastlake-fnv) of its tenant and name. Part of the data: it never changes. */
export function bucketOf(tenant: string, aggregate: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${tenant}\0${aggregate}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % BUCKETS;
}
