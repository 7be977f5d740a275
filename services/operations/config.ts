import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** What the operations service needs to know. */
export interface OperationsConfig {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** A key with the scopes `admin` and `platform.admin` that always works. Without it keys must exist already. */
  readonly adminKey?: string;
  /** The tenant of the admin key. */
  readonly adminTenant: string;
  /** How long the audit trail is kept, in milliseconds. */
  readonly auditRetentionMs: number;
  /** How long the runtime's tables are kept; the defaults stand where it is missing. */
  readonly retention?: RetentionSettings;
}
