import { type Key, pick, type Row, type Table } from "./table.ts";

/** Maps a domain value to tables: a row of the root table, and the rows of its part tables. */
export interface AggregateMapping<K extends Key = Key, V = unknown> {
  readonly root: Table;
  /** Sorted by name. Their keys begin with the root's key. */
  readonly parts: readonly Table[];
  readonly primary: Lookup;
  /** The indexes available to commands. */
  readonly indexes: Readonly<Record<string, Lookup>>;
  keyOf(value: V): K;
  fromRows(rows: AggregateRows): V;
  toRows(value: V): AggregateRows;
  /** The root row of {@link toRows}. */
  toRoot(value: V): Row;
}

/** The columns that aggregates can be loaded by. */
export interface Lookup {
  readonly mapping: AggregateMapping;
  /** Undefined for the primary key. */
  readonly index: string | undefined;
  readonly columns: readonly string[];
  /** Whether at most one aggregate has a value. */
  readonly isUnique: boolean;
  /** The name of the database's index, to keep MariaDB from scanning (and locking) a small table. */
  readonly databaseIndex: string | undefined;
}

/** The rows of one aggregate. */
export interface AggregateRows {
  readonly root: Row;
  /** By part, in the order of `AggregateMapping.parts`; each sorted by key when loaded. */
  readonly parts: readonly (readonly Row[])[];
}

type PartRows<Parts> = { readonly [Name in keyof Parts]: readonly Parts[Name][] };

export interface MappingOptions<K extends Key, V, Root extends object, Parts extends Record<string, object>> {
  root: Table<Root>;
  /** Tables whose primary keys begin with the root's key: `order_lines (tenant_id, order_id, line)` of `orders`. */
  parts?: { readonly [Name in keyof Parts]: Table<Parts[Name]> };
  /** Columns of the root by the name of their unique index. NULL in any of them means "not indexed". */
  unique?: Readonly<Record<string, readonly (keyof Root & string)[]>>;
  /** Other indexes, or prefixes of indexes, with their names in the database. */
  indexes?: Readonly<Record<string, { columns: readonly (keyof Root & string)[]; name: string }>>;
  keyOf(value: V): K;
  fromRows(root: Root, parts: PartRows<Parts>): V;
  toRow(value: V): Root;
  /** Required with `parts`. */
  toParts?(value: V): PartRows<Parts>;
}

/**
 * Describes an aggregate.
 *
 * ```ts
 * const orders = defineMapping({
 *   root: ordersTable,
 *   parts: { lines: orderLinesTable },
 *   keyOf: (order: Order): [tenant: string, id: string] => [order.tenant, order.id],
 *   fromRows: (row, { lines }) => toOrder(row, lines),
 *   toRow: toOrderRow,
 *   toParts: (order) => ({ lines: order.lines.map(toLineRow) }),
 * });
 * ```
 *
 * `toRow` and `fromRows` must be inverse: a value that was loaded and not changed is not written.
 */
export function defineMapping<K extends Key, V, Root extends object, Parts extends Record<string, object>>(
  options: MappingOptions<K, V, Root, Parts>,
): AggregateMapping<K, V> {
  const { root, unique = {}, keyOf, fromRows, toRow, toParts } = options;
  const names = Object.entries<Table>(options.parts ?? {}).sort(([, a], [, b]) => (a.name < b.name ? -1 : 1));
  const indexes: Record<string, Lookup> = {};
  const { keyIndex: databaseIndex } = root;
  const primary = { index: undefined, columns: root.key, isUnique: true, databaseIndex } as {
    mapping: AggregateMapping;
  } & Lookup;
  const mapping: AggregateMapping<K, V> = {
    root,
    parts: names.map(([, table]) => table),
    primary,
    indexes,
    keyOf,
    fromRows: ({ root: row, parts }) =>
      fromRows(row as Root, Object.fromEntries(names.map(([name], at) => [name, parts[at]])) as PartRows<Parts>),
    toRoot: (value) => toRow(value) as Row,
    toRows(value) {
      const rows = toParts?.(value);
      return { root: toRow(value) as Row, parts: names.map(([name]) => (rows?.[name] ?? []) as readonly Row[]) };
    },
  };
  primary.mapping = mapping;
  for (const [index, columns] of Object.entries(unique)) {
    indexes[index] = { mapping, index, columns, isUnique: true, databaseIndex: undefined };
  }
  for (const [index, { columns, name }] of Object.entries(options.indexes ?? {})) {
    indexes[index] = { mapping, index, columns, isUnique: false, databaseIndex: name };
  }
  return mapping;
}

/** The key of the aggregate that a part's row belongs to. */
export function rootKeyOf({ root }: AggregateMapping, part: Table, row: Row): Key {
  return pick(row, part.key.slice(0, root.key.length));
}
