import type { Database } from "../db/connect.ts";
import type { RetentionRule } from "../retention/retention.ts";
import { pruneCallbacks } from "./rows.ts";
import type { CallbackTables } from "./tables.ts";

/**
 * Retention of settled requests. Each row holds its deletion time, by the sender's configuration when it settled the
 * row.
 */
export function deliveryRetention<DB extends CallbackTables>(db: Database<DB>, keptMs: number): RetentionRule {
  return {
    table: "callbacks",
    keptMs,
    prune: () => pruneCallbacks(db as unknown as Database<CallbackTables>),
  };
}
