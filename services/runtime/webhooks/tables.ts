/** One HTTP request that shall reach somebody; the row goes when its retention ends. */
export interface CallbacksTable {
  /** Of this request; a message that is scheduled twice has two rows. */
  id: string;
  /** The header `webhook-id`, by which the receiver removes duplicates. */
  message_id: string;
  /** Absolute, or relative to the sender's base URL. */
  url: string;
  content_type: string;
  body: Uint8Array;
  /** How many times it was claimed; also the fence of a claim: only the claim of this number may settle the row. */
  attempt: number;
  /**
   * When it is to be claimed next, epoch milliseconds by the database's clock; null when it is settled. A claim moves it
   * to the end of the claim's lease, so that the request of a dead sender is due again by itself.
   */
  due_at: number | null;
  /** When the sender gives up, by the database's clock. */
  give_up_at: number;
  /** When a 2xx came; null as long as none did. */
  delivered_at: number | null;
  /** When the row is removed; null until it is settled. */
  prune_at: number | null;
  /** What the last attempt met: `status 503`, `timeout`, …; null before the first and after a delivery. */
  last_error: string | null;
}

/** To be part of the schema type of every service that schedules callbacks. */
export interface CallbackTables {
  callbacks: CallbacksTable;
}
