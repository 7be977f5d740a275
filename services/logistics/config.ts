import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** What the logistics service needs to know. Times in milliseconds. */
export interface LogisticsConfig {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** The carrier of orders that name none. */
  readonly defaultCarrier: string;
  /** Where the outside reaches us, for the sandbox's callbacks; asked for at each one. */
  readonly publicUrl: () => string;
  /** Signs the sandbox's callbacks: `whsec_` and base64 of 24 to 64 bytes. */
  readonly sandboxSecret: string;
  /** How long a sandbox parcel takes from one stage to the next. */
  readonly sandboxStepMs: number;
  /** How often it looks for work with carriers without being woken. */
  readonly workPollMs: number;
  /** After how long without news a carrier is asked where a shipment is. */
  readonly trackAfterMs: number;
  /** After how long without news a shipment is EXPIRED. */
  readonly expireAfterMs: number;
  /** How long one call of a carrier may take. */
  readonly carrierTimeoutMs: number;
  /** How long the runtime's tables are kept; the defaults stand where it is missing. */
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
