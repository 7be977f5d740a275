import * as v from "valibot";
import { milliseconds } from "../config/scalars.ts";
import { defaultsOf } from "../config/setting.ts";

/** Retention of the runtime's tables. */
export const retentionSettings = v.object({
  everyMs: milliseconds("DOCKET_RETENTION_INTERVAL", {
    default: "10m",
    min: "1ms",
    description: "Interval at which expired data is deleted.",
  }),
  // Must exceed the time within which the bus may redeliver.
  inboxMs: milliseconds("DOCKET_INBOX_RETENTION", {
    default: "30d",
    description: "Retention of the records of handled events.",
  }),
  deadLettersMs: milliseconds("DOCKET_DEAD_LETTER_RETENTION", {
    default: "90d",
    description: "Retention of dead letters, replayed or not.",
  }),
  outboxMs: milliseconds("DOCKET_OUTBOX_RETENTION", {
    default: "7d",
    description: "Retention of published events.",
  }),
  idempotencyKeysMs: milliseconds("DOCKET_IDEMPOTENCY_RETENTION", {
    default: "3d",
    min: "24h",
    description: "Retention of idempotency keys with their responses: the time within which a request can be repeated.",
  }),
  callbacksMs: milliseconds("DOCKET_CALLBACK_RETENTION", {
    default: "30d",
    description: "Retention of the callbacks of payment providers and carriers.",
  }),
  deliveriesMs: milliseconds("DOCKET_DELIVERY_RETENTION", {
    default: "1d",
    description: "Retention of outgoing requests (webhooks, the sandbox's callbacks), once delivered or given up.",
  }),
  sagasMs: milliseconds("DOCKET_SAGA_RETENTION", {
    default: "90d",
    description: "Retention of ended sagas with their steps.",
  }),
  sandboxMs: milliseconds("DOCKET_SANDBOX_RETENTION", {
    otherwise: "forever",
    description: "Retention of the sandbox's payments and parcels after their expiry.",
  }),
});

/** Retention of the runtime's tables, in milliseconds. */
export type RetentionSettings = v.InferOutput<typeof retentionSettings>;

export const defaultRetention: RetentionSettings = defaultsOf(retentionSettings);
