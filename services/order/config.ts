import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** What an order can name: what the services around this one were composed with. */
export interface Offers {
  /** Names of payment providers, for example `sandbox`. */
  readonly paymentProviders: readonly string[];
  /** Names of carriers, for example `sandbox`. */
  readonly carriers: readonly string[];
}

/** What the order service needs to know. */
export interface OrderConfig extends Offers {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** How long a shopper has to pay, in milliseconds. */
  readonly paymentDeadlineMs: number;
  /** How much longer than that stock is held. */
  readonly reservationSlackMs: number;
  /** How long changes are kept for watchers that come back. */
  readonly feedRetentionMs: number;
  /** How long orders are kept after they have ended; undefined for ever. */
  readonly orderRetentionMs?: number | undefined;
  /** How long the runtime's tables are kept; the defaults stand where it is missing. */
  readonly retention?: RetentionSettings;
  readonly importLimits: ImportLimits;
}

/** How much one call of ImportOrders may take. */
export interface ImportLimits {
  /** Rows of CSV or lines of NDJSON that are not blank. */
  readonly rows: number;
  /** Bytes of the file after decompression. */
  readonly bytes: number;
  /** Milliseconds, the time that the caller takes to send the file included. */
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
