import type { Database } from "../db/connect.ts";
import type { RetentionRule } from "../retention/retention.ts";
import type { OutboxTables } from "./tables.ts";
import { createUnsent } from "./unsent.ts";

/** Retention of sent events. An aggregate's last row is kept without its content, because it holds the sequence. */
export function outboxRetention<DB extends OutboxTables>(db: Database<DB>, keptMs: number): RetentionRule {
  const unsent = createUnsent(db);
  return { table: "outbox_messages", keptMs, prune: unsent.prune };
}
