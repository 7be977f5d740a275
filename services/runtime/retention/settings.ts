/** Retention of the runtime's tables, in milliseconds. */
export interface RetentionSettings {
  /** Interval of retention runs. */
  readonly everyMs: number;
  /** Handled messages. Must exceed the time within which the bus may redeliver. */
  readonly inboxMs: number;
  /** Dead letters, replayed or not. */
  readonly deadLettersMs: number;
  /** Sent events. */
  readonly outboxMs: number;
  /** Idempotency keys with their responses: the time within which a request can be repeated. At least a day. */
  readonly idempotencyKeysMs: number;
  /** Callbacks of payment providers and carriers. */
  readonly callbacksMs: number;
  /** Settled outgoing requests, webhooks among them. */
  readonly deliveriesMs: number;
  /** Ended sagas with their steps. */
  readonly sagasMs: number;
  /** Sandbox payments and parcels; undefined to keep them forever. */
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
