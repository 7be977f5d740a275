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
 * The places where SQLite and MariaDB/MySQL differ. Everything else is written in the part that both understand, where
 * `||` joins text on both, and there is no RETURNING.
 */

/** The database's clock: epoch milliseconds, fixed for the length of a statement. */
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

/** The sum of an integer expression as an integer, zero where there are no rows. */
export function sumOf(dialect: DialectName, expression: Expression<unknown>): RawBuilder<number | bigint> {
  const type = sql.raw(dialect === "sqlite" ? "integer" : "signed");
  return sql`cast(coalesce(sum(${expression}), 0) as ${type})`;
}

/**
 * Inserts the row unless one with its key exists, and tells whether it did. The row of another transaction that is not
 * committed yet is waited for. Anything else that is wrong with the row is an error, unlike with `INSERT IGNORE`.
 */
export async function insertIgnore<DB, Table extends keyof DB & string>(
  // Naming both lets the compiler find DB from either.
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

/** What happens to a row that is there already. */
export interface UpsertOptions<Row> {
  /** The columns of the primary or unique key that may be taken. */
  key: readonly (keyof Row & string)[];
  /**
   * The columns to overwrite with the new row's values, or expressions by column, in which a column's name is its old
   * value and {@link incoming} the new one. With an empty list the old row stays as it is.
   */
  update: readonly (keyof Row & string)[] | Partial<Record<keyof Row & string, Expression<unknown>>>;
}

/**
 * Makes an INSERT of one or more rows an upsert. MySQL looks at every unique key of the table, not only at `key`.
 * Its count of affected rows means something else on each database: do not use it.
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

/** The value that the row to insert has in this column, inside the `update` of an {@link upsert}. */
export function incoming<T>(dialect: DialectName, column: string): RawBuilder<T> {
  return dialect === "mysql" ? sql`values(${sql.ref(column)})` : sql`excluded.${sql.ref(column)}`;
}

/** Locks the rows until the transaction ends. SQLite has one writer at a time, so that there is nothing to lock. */
export function forUpdate<DB, Table extends keyof DB, Row>(
  dialect: DialectName,
  query: SelectQueryBuilder<DB, Table, Row>,
): SelectQueryBuilder<DB, Table, Row> {
  return dialect === "mysql" ? query.forUpdate() : query;
}

/** Locks the rows that nobody else has locked and leaves the others out: for claiming work. */
export function skipLocked<DB, Table extends keyof DB, Row>(
  dialect: DialectName,
  query: SelectQueryBuilder<DB, Table, Row>,
): SelectQueryBuilder<DB, Table, Row> {
  return dialect === "mysql" ? query.forUpdate().skipLocked() : query;
}

/** The text under a key of a JSON object of texts, NULL when the key is missing. Any key will do, dots and quotes too. */
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
 * Whether the text is the parts in their order with anything between them, `["a", "c"]` being `a*c`. Exact, also in the
 * case of letters, and able to use an index for the first part.
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

/** Whether a statement failed because a row with its primary or unique key exists. The transaction goes on. */
export function isUniqueViolation(error: unknown): boolean {
  return databaseErrorKind(error) === "unique";
}

function isList<T>(value: readonly T[] | object): value is readonly T[] {
  return Array.isArray(value);
}
