/** An HTTP POST that shall be made later, as surely as the transaction that schedules it commits. */
export interface Callback {
  /** The header `webhook-id`. Equal in every repetition of one message, so that the receiver removes duplicates by it. */
  readonly messageId: string;
  /** Absolute, or relative to the sender's base URL at the time of sending: `/v1/hooks/…`. */
  readonly url: string;
  readonly body: string | Uint8Array;
  /** `application/json` unless given. */
  readonly contentType?: string;
  /** How long after the scheduling, by the database's clock. 0 unless given. */
  readonly delayMs?: number;
}
