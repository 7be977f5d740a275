import { type Expression, type SqlBool, sql } from "kysely";
import type { BusEvent } from "../bus/event-bus.ts";
import { tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { nowMs } from "../db/sql.ts";
import { BUCKETS, type OutboxTables } from "./tables.ts";

/** An aggregate of a tenant. */
export interface AggregateKey {
  readonly tenant: string;
  readonly aggregate: string;
}

/** Consecutive unsent events of one aggregate, starting at its first unsent one. */
export interface Run extends AggregateKey {
  readonly events: readonly BusEvent[];
}

export interface UnsentQuery {
  readonly buckets: readonly number[];
  readonly limit: number;
  /** Names of aggregates to exclude. */
  readonly without: readonly string[];
  /** Start position, for round-robin over all aggregates. */
  readonly after: AggregateKey | undefined;
}

/** The outbox rows as a relay reads and marks them. */
export interface Unsent {
  /**
   * Reads unsent events, aggregate by aggregate, in order. Rows of an aggregate become visible in sequence, because
   * each number is taken only after the previous one has committed.
   */
  find(query: UnsentQuery): Promise<readonly BusEvent[]>;
  /** Marks events as sent. */
  mark(runs: readonly Run[]): Promise<void>;
}

export function createUnsent<DB extends OutboxTables>(db: Database<DB>): Unsent {
  const tables = tablesOf<OutboxTables>(db.kysely);
  const now = nowMs(db.dialect);

  return {
    async find({ buckets, limit, without, after }) {
      const rows = await tables
        .selectFrom("outbox_messages")
        .selectAll()
        .where("sent_at", "is", null)
        .$if(buckets.length < BUCKETS, (query) => query.where("bucket", "in", buckets))
        .$if(without.length > 0, (query) => query.where("aggregate", "not in", without))
        .$if(after !== undefined, (query) => query.where(beyond(after)))
        .orderBy("tenant_id")
        .orderBy("aggregate")
        .orderBy("sequence")
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        id: row.id,
        type: row.type,
        source: row.source,
        aggregate: row.aggregate,
        sequence: Number(row.sequence),
        tenant: row.tenant_id,
        time: new Date(Number(row.published_at)),
        data: row.data,
        extensions: row.extensions === null ? {} : (JSON.parse(row.extensions) as Record<string, string>),
      }));
    },

    async mark(runs) {
      const sent = runs.map(({ tenant, aggregate, events }) => {
        const [first, last] = [events[0]?.sequence ?? 0, events.at(-1)?.sequence ?? 0];
        return sql`(tenant_id = ${tenant} and aggregate = ${aggregate} and sequence between ${first} and ${last})`;
      });
      await tables
        .updateTable("outbox_messages")
        .set({ sent_at: now })
        .where(sql<SqlBool>`sent_at is null and (${sql.join(sent, sql` or `)})`)
        .execute();
    },
  };
}

/** The aggregates after this one, in index order. */
function beyond(after: AggregateKey | undefined): Expression<SqlBool> {
  const { tenant = "", aggregate = "" } = after ?? {};
  return sql<SqlBool>`tenant_id >= ${tenant} and (tenant_id > ${tenant} or aggregate > ${aggregate})`;
}
