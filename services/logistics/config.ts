import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** Configuration of the logistics service. Times in milliseconds. */
export interface LogisticsConfig {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** The carrier for orders that do not name one. */
  readonly defaultCarrier: string;
  /** Returns the service's public base URL, to which the sandbox sends callbacks. Evaluated for each callback. */
  readonly publicUrl: () => string;
  /** Signing secret of the sandbox's callbacks: `whsec_` followed by base64 of 24 to 64 bytes. */
  readonly sandboxSecret: string;
  /** Time between two stages of a sandbox parcel. */
  readonly sandboxStepMs: number;
  /** Poll interval for pending carrier calls when no wake-up arrives. */
  readonly workPollMs: number;
  /** Time without an update after which a shipment is tracked by polling its carrier. */
  readonly trackAfterMs: number;
  /** Time without an update after which a shipment becomes EXPIRED. */
  readonly expireAfterMs: number;
  /** Timeout of one carrier call. */
  readonly carrierTimeoutMs: number;
  /** Retention periods of the runtime's tables. Missing values use the defaults. */
  readonly retention?: RetentionSettings;
}

const HOUR_MS = 3_600_000;

export const logisticsDefaults = {
  defaultCarrier: "sandbox",
  sandboxStepMs: 1500,
  workPollMs: 500,
  trackAfterMs: 6 * HOUR_MS,
  expireAfterMs: 30 * 24 * HOUR_MS,
  carrierTimeoutMs: 10_000,
} as const satisfies Partial<LogisticsConfig>;
