/** How long a service keeps what the runtime writes for it, in milliseconds. */
export interface RetentionSettings {
  /** How often a service looks for what is too old. */
  readonly everyMs: number;
  /** Messages that consumers have handled. Longer than the bus may repeat one. */
  readonly inboxMs: number;
  /** Messages that consumers gave up, replayed or not. */
  readonly deadLettersMs: number;
  /** Events that were sent. */
  readonly outboxMs: number;
  /** Keys of requests with their responses: for so long a request can be repeated. At least a day. */
  readonly idempotencyKeysMs: number;
  /** Callbacks of payment providers and carriers. */
  readonly callbacksMs: number;
  /** Requests that were delivered or given up, webhooks among them. */
  readonly deliveriesMs: number;
  /** Sagas that have ended, with their steps. */
  readonly sagasMs: number;
  /** What the sandboxes know of payments and parcels; undefined for ever. */
  readonly sandboxMs: number | undefined;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const defaultRetention: RetentionSettings = {
  everyMs: 10 * 60_000,
  inboxMs: 30 * DAY_MS,
  deadLettersMs: 90 * DAY_MS,
  outboxMs: 7 * DAY_MS,
  idempotencyKeysMs: 3 * DAY_MS,
  callbacksMs: 30 * DAY_MS,
  deliveriesMs: DAY_MS,
  sagasMs: 90 * DAY_MS,
  sandboxMs: undefined,
};
