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

/** The aggregate as the key of a map. */
export function keyOf({ tenant, aggregate }: AggregateKey): string {
  return `${tenant}\0${aggregate}`;
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
  /** Marks events as sent: one statement for 500. */
  mark(runs: readonly Run[]): Promise<void>;
}

const MARK_BATCH = 500;

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
      const sent = runs.flatMap(({ events }) => events);
      for (let at = 0; at < sent.length; at += MARK_BATCH) {
        const keys = sent
          .slice(at, at + MARK_BATCH)
          .map(({ tenant, aggregate, sequence }) => sql`(${tenant}, ${aggregate}, ${sequence})`);
        const list = db.dialect === "sqlite" ? sql`values ${sql.join(keys)}` : sql.join(keys);
        await tables
          .updateTable("outbox_messages")
          .set({ sent_at: now })
          .where(sql<SqlBool>`(tenant_id, aggregate, sequence) in (${list})`)
          .execute();
      }
    },
  };
}

/** The aggregates after this one, in index order. */
function beyond(after: AggregateKey | undefined): Expression<SqlBool> {
  const { tenant = "", aggregate = "" } = after ?? {};
  return sql<SqlBool>`tenant_id >= ${tenant} and (tenant_id > ${tenant} or aggregate > ${aggregate})`;
}
