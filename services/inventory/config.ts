import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** Configuration of the inventory service. */
export interface InventoryConfig {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** Interval of the sweep that expires overdue reservations. */
  readonly expiryPollMs: number;
  /** Retention periods of the runtime's tables. Missing values use the defaults. */
  readonly retention?: RetentionSettings;
}

export const inventoryDefaults = {
  expiryPollMs: 1000,
} as const satisfies Omit<InventoryConfig, "databaseUrl">;
