import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** The payment providers and carriers that an order can name. */
export interface Offers {
  /** Names of payment providers, for example `sandbox`. */
  readonly paymentProviders: readonly string[];
  /** Names of carriers, for example `sandbox`. */
  readonly carriers: readonly string[];
}

/** Settings of the order service. */
export interface OrderConfig extends Offers {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** Time a shopper has to pay, in milliseconds. */
  readonly paymentDeadlineMs: number;
  /** Time for which stock is reserved beyond the payment deadline. */
  readonly reservationSlackMs: number;
  /** Retention of the change feed for watchers that resume. */
  readonly feedRetentionMs: number;
  /** Retention of ended orders; undefined keeps them forever. */
  readonly orderRetentionMs?: number | undefined;
  /** Retention of the runtime's tables; defaults apply if missing. */
  readonly retention?: RetentionSettings;
  readonly importLimits: ImportLimits;
}

/** Limits of one ImportOrders call. */
export interface ImportLimits {
  /** CSV rows, or non-blank NDJSON lines. */
  readonly rows: number;
  /** Bytes of the file after decompression. */
  readonly bytes: number;
  /** Milliseconds, including the time the caller takes to send the file. */
  readonly ms: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export const orderDefaults = {
  paymentDeadlineMs: 30 * MINUTE_MS,
  reservationSlackMs: 5 * MINUTE_MS,
  feedRetentionMs: 7 * DAY_MS,
  importLimits: { rows: 100_000, bytes: 256 * 1024 * 1024, ms: 10 * MINUTE_MS },
} as const satisfies Omit<OrderConfig, "databaseUrl" | keyof Offers>;
