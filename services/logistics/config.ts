import * as v from "valibot";
import { milliseconds } from "../runtime/config/scalars.ts";
import { defaultsOf } from "../runtime/config/setting.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { CarrierSettings } from "./carriers.ts";

/** The logistics service's settings. */
export const logisticsSettings = v.object({
  workPollMs: milliseconds("DOCKET_SHIPMENT_POLL_INTERVAL", {
    default: "500ms",
    min: "1ms",
    description: "Interval at which pending carrier calls are looked for when no event announces them.",
  }),
  trackAfterMs: milliseconds("DOCKET_SHIPMENT_TRACK_AFTER", {
    live: true,
    default: "6h",
    min: "1s",
    description: "Time without an update after which the carrier is asked where a shipment is.",
  }),
  expireAfterMs: milliseconds("DOCKET_SHIPMENT_EXPIRE_AFTER", {
    live: true,
    default: "30d",
    min: "1h",
    description: "Time without an update after which a shipment becomes EXPIRED.",
  }),
  // Half of it must be shorter than the order service's calls, which wait for a cancellation.
  carrierTimeoutMs: milliseconds("DOCKET_CARRIER_TIMEOUT", {
    live: true,
    default: "10s",
    min: "100ms",
    max: "19s",
    description: "Time limit of one call to a carrier.",
  }),
});

export const logisticsDefaults = defaultsOf(logisticsSettings);

/** Configuration of the logistics service. Times in milliseconds. */
export interface LogisticsConfig extends v.InferOutput<typeof logisticsSettings> {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** Names of the carriers to use; see `carriers.ts`. The first one ships the orders that do not name one. */
  readonly carriers: readonly string[];
  readonly carrierSettings: CarrierSettings;
  /** Retention periods of the runtime's tables. Missing values use the defaults. */
  readonly retention?: RetentionSettings;
}
