import { type Compilable, CompiledQuery, type Kysely } from "kysely";
import type { Database } from "../db/connect.ts";

/** How a database would carry a query out. */
export interface QueryPlan {
  /** The tables, by the names that they have in the query, of which every row would be read. */
  readonly fullScans: readonly string[];
  /** Whether rows would be sorted after they were read, instead of coming in order out of an index. */
  readonly sorts: boolean;
}

/**
 * The plan of a query, for tests that keep it from growing with the tables. Fill the tables first, with some hundreds of
 * rows, as MariaDB reads small ones as a whole whatever indexes they have.
 *
 * ```ts
 * expect(await planOf(db, listOrders(db, page))).toEqual({ fullScans: [], sorts: false });
 * ```
 */
export async function planOf<DB>(db: Database<DB>, query: Compilable): Promise<QueryPlan> {
  const compiled = query.compile();
  return db.dialect === "sqlite" ? sqlitePlan(db.kysely, compiled) : mysqlPlan(db.kysely, compiled);
}

/** https://www.sqlite.org/eqp.html */
async function sqlitePlan<DB>(kysely: Kysely<DB>, query: CompiledQuery): Promise<QueryPlan> {
  const rows = await explain<DB, { detail: string }>(kysely, "explain query plan", query);
  return {
    fullScans: rows.flatMap(({ detail }) => {
      const [, table] = /^SCAN (\S+)$/.exec(detail) ?? [];
      return table === undefined ? [] : [table];
    }),
    sorts: rows.some(({ detail }) => detail.includes("TEMP B-TREE FOR") && detail.includes("ORDER BY")),
  };
}

/** https://mariadb.com/kb/en/explain/ */
async function mysqlPlan<DB>(kysely: Kysely<DB>, query: CompiledQuery): Promise<QueryPlan> {
  const rows = await explain<DB, { table: string | null; type: string | null; Extra: string | null }>(
    kysely,
    "explain",
    query,
  );
  return {
    fullScans: rows.flatMap(({ table, type }) => (table !== null && type === "ALL" ? [table] : [])),
    sorts: rows.some(({ Extra }) => Extra?.includes("filesort")),
  };
}

async function explain<DB, Row>(kysely: Kysely<DB>, prefix: string, query: CompiledQuery): Promise<Row[]> {
  const { rows } = await kysely.executeQuery(CompiledQuery.raw(`${prefix} ${query.sql}`, [...query.parameters]));
  return rows as Row[];
}
