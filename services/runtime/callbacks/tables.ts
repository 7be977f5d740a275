import type { DueColumns } from "../jobs/claim-due.ts";

/**
 * - RECEIVED: verified and stored; applied when due;
 * - PROCESSED: applied, with an effect;
 * - IGNORED: applied, without new information;
 * - FAILED: cannot be applied; `failure_message` says why.
 */
export type CallbackState = "RECEIVED" | "PROCESSED" | "IGNORED" | "FAILED";

/** A verified callback, unique by source and event id. `due_at` is when to apply it while it is RECEIVED. */
export interface InboundCallbacksTable extends DueColumns {
  source: string;
  event_id: string;
  event_type: string;
  /** Null until the callback is matched to a tenant's resource. */
  tenant_id: string | null;
  /** Resource name of the subject; empty until matched. */
  subject: string;
  /** The source's id of the resource that the callback waits for; null if none. */
  reference: string | null;
  state: CallbackState;
  /** A JSON object with lower-case names, without the caller's credentials. */
  headers: string;
  body: Uint8Array;
  receive_count: number;
  failure_message: string;
  /** By the database's clock, as is `processed_at`. */
  received_at: number;
  processed_at: number | null;
}

/** Part of the schema type of every service that receives callbacks. */
export interface CallbackInboxTables {
  inbound_callbacks: InboundCallbacksTable;
}
