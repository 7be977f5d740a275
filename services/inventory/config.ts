import * as v from "valibot";
import { milliseconds } from "../runtime/config/scalars.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** The inventory service's settings. */
export const inventorySettings = v.object({
  expiryPollMs: milliseconds("DOCKET_RESERVATION_EXPIRY_INTERVAL", {
    default: "1s",
    min: "1ms",
    description: "Interval at which overdue reservations are looked for and expired.",
  }),
});

/** Configuration of the inventory service. */
export interface InventoryConfig extends v.InferOutput<typeof inventorySettings> {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** Retention periods of the runtime's tables. Missing values use the defaults. */
  readonly retention?: RetentionSettings;
}
