import type { DialectName } from "../db/connect.ts";
import type { Table } from "./table.ts";

/**
 * SQL of batches: one text per table, kind and number of rows, built once. Parameters are listed row by row, in the
 * order that each function documents.
 */
export interface SqlText {
  /** Selects `columns` of a table, by `count` keys. */
  select(
    table: Table,
    columns: readonly string[],
    options: { count: number; lock: boolean; index: string | undefined },
  ): string;
  /** Parameters of a row: `table.columns`. */
  insert(table: Table, count: number): string;
  /** Parameters of a row: `table.values`, `table.key`, and the expected version if the table has one. */
  update(table: Table, count: number): string;
  /** Parameters of a row: `table.key`. */
  delete(table: Table, count: number): string;
}

/** Creates the SQL texts of a dialect, with a cache. */
export function createSqlText(dialect: DialectName): SqlText {
  const cache = new Map<Table, Map<string, string>>();
  const cached = (table: Table, shape: string, build: () => string): string => {
    let texts = cache.get(table);
    if (texts === undefined) {
      texts = new Map();
      cache.set(table, texts);
    }
    let text = texts.get(shape);
    if (text === undefined) {
      text = build();
      texts.set(shape, text);
    }
    return text;
  };
  return {
    select: (table, columns, { count, lock, index }) =>
      cached(table, `select ${lock} ${count} ${columns} ${index}`, () => {
        // Without the hint a small table is scanned, which locks all its rows.
        const hint = dialect === "mysql" && index !== undefined ? ` force index (${quote(index)})` : "";
        const from = `${quote(table.name)}${hint}`;
        const forUpdate = lock && dialect === "mysql" ? " for update" : "";
        const where = matches(dialect, columns, count);
        return `select ${list(table.columns)} from ${from} where ${where} order by ${list(table.key)}${forUpdate}`;
      }),
    insert: (table, count) =>
      cached(table, `insert ${count}`, () => {
        const row = `(${parameters(table.columns)})`;
        return `insert into ${quote(table.name)} (${list(table.columns)}) values ${repeat(row, count, ", ")}`;
      }),
    update: (table, count) => cached(table, `update ${count}`, () => updateText(dialect, table, count)),
    delete: (table, count) => cached(table, `delete ${count}`, () => deleteText(dialect, table, count)),
  };
}

/**
 * Joins with the new rows. This is the fastest form on MariaDB and as fast as any on SQLite, and unlike an upsert it
 * cannot insert a row or match another unique key by mistake.
 */
function updateText(dialect: DialectName, table: Table, count: number): string {
  const { values, key, version } = table;
  const name = quote(table.name);
  if (count === 1) {
    const set = values.map((column) => `${quote(column)} = ?`).join(", ");
    const where = [...key, ...(version === undefined ? [] : [version])].map((column) => `${quote(column)} = ?`);
    return `update ${name} set ${set} where ${where.join(" and ")}`;
  }
  const columns = [...values, ...key];
  const first = columns.map((column) => `? as ${quote(column)}`).join(", ");
  const expected = version === undefined ? "" : ", ? as expected_version";
  const next = ` union all select ${parameters(columns)}${version === undefined ? "" : ", ?"}`;
  const rows = `(select ${first}${expected}${next.repeat(count - 1)}) as next`;
  const on = key.map((column) => `${name}.${quote(column)} = next.${quote(column)}`);
  if (version !== undefined) {
    on.push(`${name}.${quote(version)} = next.expected_version`);
  }
  if (dialect === "mysql") {
    const set = values.map((column) => `${name}.${quote(column)} = next.${quote(column)}`).join(", ");
    return `update ${name} join ${rows} on ${on.join(" and ")} set ${set}`;
  }
  const set = values.map((column) => `${quote(column)} = next.${quote(column)}`).join(", ");
  return `update ${name} set ${set} from ${rows} where ${on.join(" and ")}`;
}

/** Uses a join on MariaDB, which otherwise may scan the table and lock all its rows for a long list of keys. */
function deleteText(dialect: DialectName, { name, key }: Table, count: number): string {
  if (dialect === "sqlite" || count === 1) {
    return `delete from ${quote(name)} where ${matches(dialect, key, count)}`;
  }
  const first = key.map((column) => `? as ${quote(column)}`).join(", ");
  const keys = `(select ${first}${` union all select ${parameters(key)}`.repeat(count - 1)}) as gone`;
  const on = key.map((column) => `${quote(name)}.${quote(column)} = gone.${quote(column)}`);
  return `delete ${quote(name)} from ${quote(name)} join ${keys} on ${on.join(" and ")}`;
}

function matches(dialect: DialectName, columns: readonly string[], count: number): string {
  if (count === 1) {
    return columns.map((column) => `${quote(column)} = ?`).join(" and ");
  }
  if (columns.length === 1) {
    return `${list(columns)} in (${repeat("?", count, ", ")})`;
  }
  const keys = repeat(`(${parameters(columns)})`, count, ", ");
  return `(${list(columns)}) in (${dialect === "sqlite" ? `values ${keys}` : keys})`;
}

/** Both databases accept backticks. */
function quote(name: string): string {
  return `\`${name}\``;
}

function list(columns: readonly string[]): string {
  return columns.map(quote).join(", ");
}

function parameters(columns: readonly string[]): string {
  return repeat("?", columns.length, ", ");
}

function repeat(text: string, count: number, separator: string): string {
  return `${text}${`${separator}${text}`.repeat(count - 1)}`;
}
