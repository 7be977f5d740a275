import type { InsertObject } from "kysely";
import {
  type Expression,
  type InsertQueryBuilder,
  type InsertResult,
  type Kysely,
  type RawBuilder,
  type SelectQueryBuilder,
  type SqlBool,
  sql,
  type Transaction,
} from "kysely";
import type { DialectName } from "./connect.ts";
import { databaseErrorKind } from "./errors.ts";

/**
 * The differences between SQLite and MariaDB/MySQL. All other SQL uses the common subset, in which `||` concatenates
 * text and RETURNING does not exist.
 */

/** The database's clock in epoch milliseconds, constant within a statement. */
export function nowMs(dialect: DialectName): RawBuilder<number> {
  switch (dialect) {
    case "sqlite":
      return sql`cast(round(unixepoch('subsec') * 1000) as integer)`;
    case "mysql":
      return sql`cast(unix_timestamp(now(3)) * 1000 as signed)`;
    default:
      return dialect satisfies never;
  }
}

/** Sum of an integer expression, zero without rows. */
export function sumOf(dialect: DialectName, expression: Expression<unknown>): RawBuilder<number | bigint> {
  const type = sql.raw(dialect === "sqlite" ? "integer" : "signed");
  return sql`cast(coalesce(sum(${expression}), 0) as ${type})`;
}

/**
 * Inserts the row unless its key exists; returns whether it did. Waits for an uncommitted row of another transaction.
 * Unlike `INSERT IGNORE`, it reports every other error.
 */
export async function insertIgnore<DB, Table extends keyof DB & string>(
  // Both types, so that the compiler can infer DB from either.
  db: Kysely<DB> | Transaction<DB>,
  table: Table,
  row: NoInfer<InsertObject<DB, Table>>,
): Promise<boolean> {
  try {
    await db.insertInto(table).values(row).execute();
    return true;
  } catch (error) {
    if (isUniqueViolation(error)) {
      return false;
    }
    throw error;
  }
}

/** Conflict handling of an upsert. */
export interface UpsertOptions<Row> {
  /** The columns of the primary or unique key that may conflict. */
  key: readonly (keyof Row & string)[];
  /**
   * The columns to overwrite with the new values, or expressions by column, in which a column's name is its old value
   * and {@link incoming} the new one. An empty list keeps the old row.
   */
  update: readonly (keyof Row & string)[] | Partial<Record<keyof Row & string, Expression<unknown>>>;
}

/**
 * Makes an INSERT of one or more rows an upsert. MySQL checks every unique key of the table, not only `key`. The count
 * of affected rows differs between databases; do not use it.
 */
export function upsert<DB, Table extends keyof DB>(
  dialect: DialectName,
  query: InsertQueryBuilder<DB, Table, InsertResult>,
  { key, update }: UpsertOptions<DB[Table]>,
): InsertQueryBuilder<DB, Table, InsertResult> {
  const assignments: Record<string, Expression<unknown>> = isList(update)
    ? Object.fromEntries(update.map((column) => [column, incoming(dialect, column)]))
    : (update as Record<string, Expression<unknown>>);
  const keepsOldRow = Object.keys(assignments).length === 0;
  if (dialect === "mysql") {
    const untouched = Object.fromEntries(key.slice(0, 1).map((column) => [column, sql.ref(column)]));
    return query.onDuplicateKeyUpdate((keepsOldRow ? untouched : assignments) as never);
  }
  return query.onConflict((conflict) => {
    const target = conflict.columns(key as never);
    return keepsOldRow ? target.doNothing() : target.doUpdateSet(assignments as never);
  });
}

/** The new row's value of this column, for the `update` of an {@link upsert}. */
export function incoming<T>(dialect: DialectName, column: string): RawBuilder<T> {
  return dialect === "mysql" ? sql`values(${sql.ref(column)})` : sql`excluded.${sql.ref(column)}`;
}

/** Locks the rows until the transaction ends. A no-op on SQLite, which has one writer at a time. */
export function forUpdate<DB, Table extends keyof DB, Row>(
  dialect: DialectName,
  query: SelectQueryBuilder<DB, Table, Row>,
): SelectQueryBuilder<DB, Table, Row> {
  return dialect === "mysql" ? query.forUpdate() : query;
}

/** Locks the selected rows and skips those that are locked: for claiming work. */
export function skipLocked<DB, Table extends keyof DB, Row>(
  dialect: DialectName,
  query: SelectQueryBuilder<DB, Table, Row>,
): SelectQueryBuilder<DB, Table, Row> {
  return dialect === "mysql" ? query.forUpdate().skipLocked() : query;
}

/** The text under a key of a JSON object of texts; NULL if missing. Keys may contain dots and quotes. */
export function jsonText(
  dialect: DialectName,
  object: Expression<string | null>,
  key: string,
): RawBuilder<string | null> {
  return dialect === "mysql"
    ? sql`cast(json_unquote(json_extract(${object}, ${`$.${JSON.stringify(key)}`})) as char)`
    : sql`(select value from json_each(${object}) where key = ${key})`;
}

/**
 * Whether the text consists of the parts in order with anything in between: `["a", "c"]` is `a*c`. Case-sensitive, and
 * able to use an index for the first part.
 */
export function matchesPattern(
  dialect: DialectName,
  text: Expression<unknown>,
  parts: readonly string[],
): RawBuilder<SqlBool> {
  return dialect === "mysql"
    ? sql`${text} like ${parts.map((part) => part.replace(/[!%_]/g, "!$&")).join("%")} escape '!'`
    : sql`${text} glob ${parts.map((part) => part.replace(/[*?[]/g, "[$&]")).join("*")}`;
}

/** Whether a statement failed because of an existing primary or unique key. The transaction continues. */
export function isUniqueViolation(error: unknown): boolean {
  return databaseErrorKind(error) === "unique";
}

function isList<T>(value: readonly T[] | object): value is readonly T[] {
  return Array.isArray(value);
}
