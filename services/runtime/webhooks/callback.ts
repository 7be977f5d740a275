/** A delayed HTTP POST, made if and only if the transaction that schedules it commits. */
export interface Callback {
  /** The header `webhook-id`, stable across retries, by which receivers deduplicate. */
  readonly messageId: string;
  /** Absolute, or relative to the sender's base URL at the time of sending: `/v1/hooks/…`. */
  readonly url: string;
  readonly body: string | Uint8Array;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** Delay after scheduling, by the database's clock. Default 0. */
  readonly delayMs?: number;
}
