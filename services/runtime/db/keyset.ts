import { type Expression, type RawBuilder, type SqlBool, sql } from "kysely";
import type { PageKey } from "../api/page-token.ts";

/** A sort expression. Must never be NULL: use `coalesce(x, '')` where it could be. */
export interface SortKey {
  sql: Expression<unknown>;
  direction: "asc" | "desc";
}

/**
 * Condition for rows after the one with these values (keyset pagination). The last sort key must be unique, to break
 * ties. The form `a >= ? and (a > ? or b > ?)` lets an index on the sort keys seek to the position.
 */
export function afterRow(keys: readonly SortKey[], values: readonly PageKey[]): RawBuilder<SqlBool> {
  const [key, ...otherKeys] = keys;
  const [value, ...otherValues] = values;
  if (!key || value === undefined) {
    throw new RangeError("a page token needs a value for each sort key");
  }
  const beyond = sql<SqlBool>`${key.sql} ${sql.raw(key.direction === "asc" ? ">" : "<")} ${value}`;
  if (otherKeys.length === 0) {
    return beyond;
  }
  const notBefore = sql`${key.sql} ${sql.raw(key.direction === "asc" ? ">=" : "<=")} ${value}`;
  return sql`(${notBefore} and (${beyond} or ${afterRow(otherKeys, otherValues)}))`;
}

/** The sort keys for ORDER BY. */
export function orderByKeys(keys: readonly SortKey[]): RawBuilder<unknown> {
  return sql.join(keys.map((key) => sql`${key.sql} ${sql.raw(key.direction)}`));
}
