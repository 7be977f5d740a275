import type { Database } from "../db/connect.ts";
import { RETENTION_BATCH, type RetentionRule } from "../retention/retention.ts";
import { pruneCallbacks } from "./rows.ts";
import type { CallbackInboxTables } from "./tables.ts";

/** Retention of received callbacks, whatever their state. */
export function callbackRetention<DB extends CallbackInboxTables>(anyDb: Database<DB>, keptMs: number): RetentionRule {
  const db = anyDb as unknown as Database<CallbackInboxTables>;
  const limit = RETENTION_BATCH;
  return {
    table: "inbound_callbacks",
    keptMs,
    prune: async (retentionMs) =>
      (await pruneCallbacks(db.kysely, db.dialect, { retentionMs, limit })) === RETENTION_BATCH,
  };
}
