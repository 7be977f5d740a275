/** An outgoing HTTP request. Rows are deleted after their retention. */
export interface CallbacksTable {
  /** Id of this request; a message scheduled twice has two rows. */
  id: string;
  /** The header `webhook-id`, by which receivers deduplicate. */
  message_id: string;
  /** Absolute, or relative to the sender's base URL. */
  url: string;
  content_type: string;
  body: Uint8Array;
  /** Number of claims. Also the fencing token: only the claim with this number may settle the row. */
  attempt: number;
  /**
   * When it may be claimed next, in epoch milliseconds by the database's clock; null once settled. A claim moves it to
   * the end of the lease, so that the request of a crashed sender becomes due again.
   */
  due_at: number | null;
  /** When the sender gives up, by the database's clock. */
  give_up_at: number;
  /** When a 2xx response arrived; null until then. */
  delivered_at: number | null;
  /** When the row is deleted; null until settled. */
  prune_at: number | null;
  /** Failure of the last attempt: `status 503`, `timeout`, …; null before the first and after a delivery. */
  last_error: string | null;
  /** The W3C `traceparent` of what scheduled it, sent along; null outside a trace. */
  traceparent: string | null;
}

/** Part of the schema type of every service that schedules callbacks. */
export interface CallbackTables {
  callbacks: CallbacksTable;
}
