import type { Database } from "../db/connect.ts";
import type { RetentionRule } from "../retention/retention.ts";
import { pruneCallbacks } from "./rows.ts";
import type { CallbackTables } from "./tables.ts";

/**
 * Requests that were delivered or given up. Each row says when it is to be deleted, as the sender was configured when it
 * settled the row.
 */
export function deliveryRetention<DB extends CallbackTables>(db: Database<DB>, keptMs: number): RetentionRule {
  return {
    table: "callbacks",
    keptMs,
    prune: () => pruneCallbacks(db as unknown as Database<CallbackTables>),
  };
}
