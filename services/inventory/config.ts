/** What the inventory service needs to know. */
export interface InventoryConfig {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** How often it looks for reservations whose time is over. */
  readonly expiryPollMs: number;
}

export const inventoryDefaults = {
  expiryPollMs: 1000,
} as const satisfies Omit<InventoryConfig, "databaseUrl">;
