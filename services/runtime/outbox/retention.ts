import type { Database } from "../db/connect.ts";
import type { RetentionRule } from "../retention/retention.ts";
import type { OutboxTables } from "./tables.ts";
import { createUnsent } from "./unsent.ts";

/** Sent events. An aggregate's last row stays, without its content, as it holds the aggregate's sequence. */
export function outboxRetention<DB extends OutboxTables>(db: Database<DB>, keptMs: number): RetentionRule {
  const unsent = createUnsent(db);
  return { table: "outbox_messages", keptMs, prune: unsent.prune };
}
