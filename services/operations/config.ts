import * as v from "valibot";
import { milliseconds } from "../runtime/config/scalars.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** The operations service's settings. */
export const operationsSettings = v.object({
  auditRetentionMs: milliseconds("DOCKET_AUDIT_RETENTION", {
    default: "365d",
    description: "Retention of the audit trail (`GET /v1/auditEvents`).",
  }),
});

/** Configuration of the operations service. */
export interface OperationsConfig extends v.InferOutput<typeof operationsSettings> {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** A permanent key with the scopes `admin` and `platform.admin`. Without it, keys must already exist. */
  readonly adminKey?: string;
  /** The tenant of the admin key. */
  readonly adminTenant: string;
  /** Retention periods of the runtime's tables. Missing values use the defaults. */
  readonly retention?: RetentionSettings;
}
