import { CompiledQuery, type Transaction } from "kysely";
import { chunksOf } from "../db/chunks.ts";
import type { BindValue } from "../db/statement.ts";
import type { SqlText } from "./sql-text.ts";
import type { Key, Row, Table } from "./table.ts";

/** Most rows per write and keys per SELECT: SQLite limits a compound SELECT to 500 terms. */
const maxRowsPerStatement = 500;
/** SQLite binds at most 32,766 parameters per statement. */
const MAX_PARAMETERS = 32_000;

/** A row to write; `expectedVersion` applies to the UPDATE of a versioned table. */
export interface NewRow {
  readonly row: Row;
  readonly key: Key;
  readonly expectedVersion?: unknown;
}

/** The statements of one transaction. */
export interface Statements {
  /** How many statements were executed. */
  count(): number;
  select(
    table: Table,
    columns: readonly string[],
    keys: readonly Key[],
    options: { lock: boolean; index: string | undefined },
  ): Promise<Row[]>;
  insert(table: Table, rows: readonly NewRow[]): Promise<void>;
  /** Rejects with a {@link RowMissingError} unless every row exists in its expected version. */
  update(table: Table, rows: readonly NewRow[]): Promise<void>;
  delete(table: Table, keys: readonly Key[]): Promise<void>;
}

/** A locked row was not found in the version in which it was loaded. */
export class RowMissingError extends Error {
  override readonly name = "RowMissingError";

  constructor(table: Table, keys: readonly Key[]) {
    const first = `(${keys[0]?.join(", ")})`;
    super(
      `Some of ${keys.length} rows of ${table.name} from ${first} on are not in the version in which they were loaded. ` +
        "Something writes them without a lock, or the mapping's key or version is wrong.",
    );
  }
}

export function createStatements<DB>(trx: Transaction<DB>, text: SqlText): Statements {
  let count = 0;
  const run = (sql: string, parameters: readonly unknown[]) => {
    count += 1;
    return trx.executeQuery<Row>(CompiledQuery.raw(sql, parameters as unknown[]));
  };
  return {
    count: () => count,
    async select(table, columns, keys, { lock, index }) {
      const rows: Row[] = [];
      for (let at = 0; at < keys.length; at += maxRowsPerStatement) {
        const padded = padKeys(keys.slice(at, at + maxRowsPerStatement));
        const found = await run(text.select(table, columns, { count: padded.length, lock, index }), padded.flat());
        rows.push(...found.rows);
      }
      return rows;
    },
    async insert(table, rows) {
      for (const chunk of chunks(rows, table.columns.length)) {
        const parameters = chunk.flatMap(({ row }) => table.columns.map((column) => row[column]));
        await run(text.insert(table, chunk.length), parameters);
      }
    },
    async update(table, rows) {
      const { values, key, version } = table;
      for (const chunk of chunks(rows, table.columns.length + 1)) {
        const parameters = chunk.flatMap(({ row, expectedVersion }) => [
          ...values.map((column) => row[column]),
          ...key.map((column) => row[column]),
          ...(version === undefined ? [] : [expectedVersion]),
        ]);
        const { numAffectedRows } = await run(text.update(table, chunk.length), parameters);
        if (numAffectedRows !== BigInt(chunk.length)) {
          throw new RowMissingError(
            table,
            chunk.map((it) => it.key),
          );
        }
      }
    },
    async delete(table, keys) {
      for (let at = 0; at < keys.length; at += maxRowsPerStatement) {
        const padded = padKeys(keys.slice(at, at + maxRowsPerStatement));
        await run(text.delete(table, padded.length), padded.flat());
      }
    },
  };
}

/** Repeats the last key up to the next power of two, which keeps the number of SQL texts at about ten. */
function padKeys(keys: readonly Key[]): BindValue[][] {
  const size = Math.min(2 ** Math.ceil(Math.log2(keys.length)), maxRowsPerStatement);
  return Array.from({ length: size }, (_, at) => [...(keys[at] ?? keys.at(-1) ?? [])]);
}

function chunks(rows: readonly NewRow[], parametersPerRow: number): NewRow[][] {
  const maxItems = Math.min(maxRowsPerStatement, Math.floor(MAX_PARAMETERS / parametersPerRow));
  return chunksOf(rows, { maxItems, sizeOf: ({ row }) => sizeOf(row) });
}

function sizeOf(row: Row): number {
  return Object.values(row).reduce<number>(
    (sum, value) => sum + (typeof value === "string" || value instanceof Uint8Array ? value.length : 8),
    0,
  );
}
