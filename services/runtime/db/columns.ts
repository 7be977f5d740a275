import { type ColumnType, type RawBuilder, sql } from "kysely";

/**
 * Column types that are the same DDL on SQLite and MariaDB/MySQL, for migrations:
 *
 * ```ts
 * await kysely.schema
 *   .createTable("orders")
 *   .ifNotExists()
 *   .addColumn("tenant_id", tenantId, notNull)
 *   .addColumn("id", id, notNull)
 *   .addColumn("total_minor", minorUnits, notNull)
 *   .addPrimaryKeyConstraint("orders_pk", ["tenant_id", "id"])
 *   .execute();
 * ```
 *
 * Text compares by code point with trailing spaces (`migrate` sees to the schema's collation), and a key must be `text(n)`.
 */

/** An identifier of `Ids`. */
export const id = "varchar(26)";
/** The tenant; the first key column of every table with users' data. */
export const tenantId = "varchar(64)";
/** A time in epoch milliseconds, UTC. Such columns are named `*_at`. */
export const epochMs = "bigint";
/** Money in minor units; a {@link currency} column beside it holds the currency. */
export const minorUnits = "bigint";
/** An ISO 4217 code. */
export const currency = "char(3)";
/** A count or a version. */
export const int = "integer";
/** A 64-bit integer. */
export const bigint = "bigint";
/** 0 or 1. */
export const flag = "smallint";
/** Text up to 16 MiB; cannot be a key. */
export const longText: RawBuilder<unknown> = sql`mediumtext`;
/** JSON as text. */
export const json: RawBuilder<unknown> = sql`mediumtext`;
/** Bytes up to 16 MiB. */
export const bytes: RawBuilder<unknown> = sql`mediumblob`;

/** Text of at most `length` characters, which may be a key. SQLite does not enforce the length; API validation does. */
export function text(length: number): `varchar(${number})` {
  return `varchar(${length})`;
}

/** Makes a column non-null. */
export function notNull<Column extends { notNull(): Column }>(column: Column): Column {
  return column.notNull();
}

/** The TypeScript side of {@link minorUnits} and {@link bigint}: read it with `BigInt(row.x)`. */
export type Integer64 = ColumnType<number | bigint, number | bigint, number | bigint>;
