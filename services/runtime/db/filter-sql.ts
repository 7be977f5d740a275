import { type Expression, type RawBuilder, type SqlBool, sql } from "kysely";
import { type Condition, checkFilter, type FieldCondition, type FilterFieldType } from "../api/filter-checker.ts";
import type { DialectName } from "./connect.ts";
import { matchesPattern } from "./sql.ts";

/** A filterable field with its SQL expression. */
export type SqlFilterField = FilterFieldType & {
  /**
   * The value: a column, or for a map the expression of a key; NULL if absent. For a repeated field, the value of one
   * row of `exists`.
   */
  sql: Expression<unknown> | ((key: string) => Expression<unknown>);
  /** For a repeated field: wraps the condition in an EXISTS subquery over its rows. */
  exists?: (condition: Expression<SqlBool>) => Expression<SqlBool>;
};

/**
 * A filter of AIP-160 as a condition of WHERE; undefined for a blank one. Text compares exactly, by code point. A field
 * without a value (NULL) fulfils no comparison, not even `!=`; what NOT stands before is turned round as a whole.
 *
 * ```ts
 * const fields = {
 *   state: { type: "enum", values: { CONFIRMED: "confirmed" }, sql: sql.ref("orders.state") },
 *   labels: { type: "map", sql: (key) => jsonText(dialect, sql.ref("orders.labels"), key) },
 *   sku: { type: "string", repeated: true, sql: sql.ref("line.sku"), exists: (it) => sql`exists (select 1 from … and ${it})` },
 * } satisfies Record<string, SqlFilterField>;
 * ```
 *
 * @throws ConnectError INVALID_ARGUMENT, reason INVALID_FILTER, as `checkFilter` does.
 */
export function compileFilter(
  filter: string,
  fields: Readonly<Record<string, SqlFilterField>>,
  dialect: DialectName,
): RawBuilder<SqlBool> | undefined {
  const condition = checkFilter(filter, fields);
  return condition && compile(condition, fields, dialect);
}

function compile(
  condition: Condition,
  fields: Readonly<Record<string, SqlFilterField>>,
  dialect: DialectName,
): RawBuilder<SqlBool> {
  switch (condition.kind) {
    case "and":
    case "or": {
      const operands = condition.operands.map((operand) => compile(operand, fields, dialect));
      return operands.length === 0 ? sql`1 = 0` : sql`(${sql.join(operands, sql.raw(` ${condition.kind} `))})`;
    }
    case "not":
      return sql`(${compile(condition.operand, fields, dialect)}) is not true`;
    default:
      return compileField(condition, fields, dialect);
  }
}

function compileField(
  condition: FieldCondition,
  fields: Readonly<Record<string, SqlFilterField>>,
  dialect: DialectName,
): RawBuilder<SqlBool> {
  const field = fields[condition.field];
  if (!field) {
    throw new RangeError(`${condition.field} is not a field of this list`);
  }
  const value = typeof field.sql === "function" ? field.sql(condition.key ?? "") : field.sql;
  const test = compileTest(condition, value, dialect);
  return field.exists ? sql`${field.exists(test)}` : test;
}

function compileTest(condition: FieldCondition, value: Expression<unknown>, dialect: DialectName): RawBuilder<SqlBool> {
  switch (condition.kind) {
    case "present":
      return sql`${value} is not null`;
    case "pattern":
      return matchesPattern(dialect, value, condition.parts);
    case "compare":
      return sql`${value} ${sql.raw(condition.operator)} ${condition.value}`;
    default:
      return condition satisfies never;
  }
}
