import type { InboxTables } from "../../runtime/inbox/tables.ts";

/** An API key; the key itself is not stored. */
export interface ApiKeysTable {
  id: string;
  tenant_id: string;
  display_name: string;
  /** SHA-256 of the key, hex. */
  key_hash: string;
  key_prefix: string;
  /** Space-separated. */
  scopes: string;
  expires_at: number | null;
  revoked_at: number | null;
  /** Precision: one minute. */
  last_used_at: number | null;
  created_at: number;
}

/** One act of the audit trail. */
export interface AuditEventsTable {
  tenant_id: string;
  id: string;
  actor: string;
  method: string;
  resource: string;
  /** A JSON object with string values. */
  details: string;
  outcome: "ALLOWED" | "DENIED";
  /** The error reason of a refused act; empty if it was carried out. */
  reason: string;
  client_address: string;
  request_id: string;
  created_at: number;
}

export interface OperationsDatabase extends InboxTables {
  api_keys: ApiKeysTable;
  audit_events: AuditEventsTable;
}
