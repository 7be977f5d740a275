import { type SqlBool, sql } from "kysely";
import { tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import type { RetentionRule } from "../retention/rule.ts";
import type { OutboxTables } from "./tables.ts";

/** A sent event. */
interface Sent {
  readonly tenant_id: string;
  readonly aggregate: string;
  readonly sequence: number | bigint;
}

/** Retention of sent events. An aggregate's last row is kept without its content, because it holds the sequence. */
export function outboxRetention<DB extends OutboxTables>(db: Database<DB>, keptMs: number): RetentionRule {
  return {
    table: "outbox_messages",
    age: "sent_at",
    keptMs,
    batch: 500,
    // Rows without content have zero.
    where: sql<SqlBool>`sent_at >= 1`,
    instead: {
      key: ["tenant_id", "aggregate", "sequence"],
      settle: (sent: readonly Sent[]) => deleteSent(db, sent),
    },
  };
}

/** Deletes each aggregate's events before its newest of these, and empties that one. */
async function deleteSent<DB extends OutboxTables>(db: Database<DB>, sent: readonly Sent[]): Promise<void> {
  const ascending = sent.toSorted((a, b) => Number(a.sequence) - Number(b.sequence));
  const newest = new Map(ascending.map((row) => [`${row.tenant_id}\0${row.aggregate}`, row]));
  const those = (compare: "<" | "=") =>
    sql<SqlBool>`(${sql.join(
      [...newest.values()].map(
        (row) => sql`(tenant_id = ${row.tenant_id} and aggregate = ${row.aggregate}
          and sequence ${sql.raw(compare)} ${row.sequence})`,
      ),
      sql` or `,
    )})`;
  await db.transaction(async (trx) => {
    const messages = tablesOf<OutboxTables>(trx);
    await messages.deleteFrom("outbox_messages").where(those("<")).execute();
    const emptied = { sent_at: 0, data: new Uint8Array(), extensions: null };
    await messages.updateTable("outbox_messages").set(emptied).where(those("=")).execute();
  });
}
