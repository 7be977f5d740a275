import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** Configuration of the operations service. */
export interface OperationsConfig {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** A permanent key with the scopes `admin` and `platform.admin`. Without it, keys must already exist. */
  readonly adminKey?: string;
  /** The tenant of the admin key. */
  readonly adminTenant: string;
  /** Retention period of the audit trail, in milliseconds. */
  readonly auditRetentionMs: number;
  /** Retention periods of the runtime's tables. Missing values use the defaults. */
  readonly retention?: RetentionSettings;
}
