import type { DueColumns } from "../jobs/claim-due.ts";

/**
 * - RECEIVED: verified and stored; applied when it is due;
 * - PROCESSED: applied, and it changed something;
 * - IGNORED: applied, and it said nothing new;
 * - FAILED: it cannot be applied; `failure_message` says why.
 */
export type CallbackState = "RECEIVED" | "PROCESSED" | "IGNORED" | "FAILED";

/** A verified callback, unique by its source and event id. `due_at` is when to apply it, while it is RECEIVED. */
export interface InboundCallbacksTable extends DueColumns {
  source: string;
  event_id: string;
  event_type: string;
  /** Null until the callback is matched to a tenant's resource. */
  tenant_id: string | null;
  /** The name of the resource that it is about; empty until it is matched. */
  subject: string;
  /** The source's own id of the resource that the callback waits for; null where it waits for none. */
  reference: string | null;
  state: CallbackState;
  /** A JSON object; names in lower case, callers' credentials left out. */
  headers: string;
  body: Uint8Array;
  receive_count: number;
  failure_message: string;
  /** By the database's clock, as is `processed_at`. */
  received_at: number;
  processed_at: number | null;
}

/** To be part of the schema type of every service that receives callbacks. */
export interface CallbackInboxTables {
  inbound_callbacks: InboundCallbacksTable;
}
