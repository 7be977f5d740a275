import type { BindValue } from "../db/statement.ts";

/** The values of a primary or unique key, in column order. */
export type Key = readonly BindValue[];

/** A row by column name. */
export type Row = Readonly<Record<string, unknown>>;

/** A table as commands read and write it. */
export interface Table<R extends object = object> {
  readonly name: string;
  /** The key by which commands name rows: the primary key, or another unique key without NULLs. */
  readonly key: readonly string[];
  /** The name of the key's index. */
  readonly keyIndex: string;
  /** All columns that the mapping reads and writes, including the key. */
  readonly columns: readonly string[];
  /** The columns outside the key. */
  readonly values: readonly string[];
  /** The version column, changed by every update and verified by UPDATE. */
  readonly version: string | undefined;
  /** Type-only. */
  readonly row?: R;
}

/**
 * Describes a table.
 *
 * ```ts
 * const items = defineTable<Selectable<ItemsTable>>({
 *   name: "items",
 *   key: ["tenant_id", "sku"],
 *   columns: ["tenant_id", "sku", "title", "stock_on_hand", "version"],
 *   version: "version",
 * });
 * ```
 */
export function defineTable<R extends object>(options: {
  name: string;
  key: readonly (keyof R & string)[];
  /** The name of the key's index, unless it is the primary key. */
  keyIndex?: string;
  columns: readonly (keyof R & string)[];
  version?: keyof R & string;
}): Table<R> {
  const { name, key, keyIndex = "primary", columns, version } = options;
  const missing = [...key, ...(version === undefined ? [] : [version])].filter((column) => !columns.includes(column));
  if (missing.length > 0) {
    throw new TypeError(`Table ${name} must list ${missing.join(", ")} among its columns.`);
  }
  return { name, key, keyIndex, columns, version, values: columns.filter((column) => !key.includes(column)) };
}

/** Picks the values of some columns of a row. */
export function pick(row: Row, columns: readonly string[]): Key {
  return columns.map((column) => row[column]) as unknown as Key;
}

/** Encodes a key as text, for maps. Injective, except that `5` and `5n` are equal. */
export function keyText(key: Key): string {
  return key.length === 1 ? String(key[0]) : key.map((value) => `${String(value).length}:${value}`).join("");
}

/** Total order of keys, shared by all processes, so that they lock rows in the same order. */
export function compareKeys(a: Key, b: Key): number {
  for (const [at, left] of a.entries()) {
    const right = b[at] ?? null;
    if (left !== null && right !== null && left !== right) {
      return left < right ? -1 : 1;
    }
  }
  return 0;
}

/** Whether two rows are equal in these columns. Integers are compared by value, bytes by content. */
export function sameValues(a: Row, b: Row, columns: readonly string[]): boolean {
  return columns.every((column) => sameValue(a[column] ?? null, b[column] ?? null));
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) {
    return true;
  }
  if (isInteger(a) && isInteger(b)) {
    return BigInt(a) === BigInt(b);
  }
  return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0;
}

function isInteger(value: unknown): value is number | bigint | boolean {
  return typeof value === "bigint" || typeof value === "boolean" || Number.isSafeInteger(value);
}
