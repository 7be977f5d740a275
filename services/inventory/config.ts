import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** What the inventory service needs to know. */
export interface InventoryConfig {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** How often it looks for reservations whose time is over. */
  readonly expiryPollMs: number;
  /** How long the runtime's tables are kept; the defaults stand where it is missing. */
  readonly retention?: RetentionSettings;
}

export const inventoryDefaults = {
  expiryPollMs: 1000,
} as const satisfies Omit<InventoryConfig, "databaseUrl">;
