import type { Entry, IdentityMap } from "./identity-map.ts";
import type { AggregateRows } from "./mapping.ts";
import type { NewRow, Statements } from "./statements.ts";
import { compareKeys, keyText, pick, type Row, sameValues, type Table } from "./table.ts";

interface TableChanges {
  readonly inserts: NewRow[];
  readonly updates: NewRow[];
  readonly deletes: NewRow[];
}

/**
 * Writes the changes of the commands: one DELETE, UPDATE and INSERT per table, only of rows that differ from the loaded
 * ones. Tables are written in the order of their names, rows in the order of their keys.
 */
export async function writeChanges(statements: Statements, map: IdentityMap): Promise<void> {
  const changes = new Map<Table, TableChanges>();
  for (const entry of map.changed()) {
    compareEntry(entry, (table) => {
      let of = changes.get(table);
      if (of === undefined) {
        of = { inserts: [], updates: [], deletes: [] };
        changes.set(table, of);
      }
      return of;
    });
  }
  const byName = [...changes].sort(([a], [b]) => (a.name < b.name ? -1 : 1));
  for (const [table, { inserts, updates, deletes }] of byName) {
    await statements.delete(
      table,
      deletes.sort(byKey).map(({ key }) => key),
    );
    await statements.update(table, updates.sort(byKey));
    await statements.insert(table, inserts.sort(byKey));
  }
}

function compareEntry({ mapping, stored, value }: Entry, changesOf: (table: Table) => TableChanges): void {
  const next: AggregateRows | undefined = value === undefined ? undefined : mapping.toRows(value);
  compareRows(mapping.root, [stored?.root], [next?.root], changesOf);
  for (const [at, table] of mapping.parts.entries()) {
    compareRows(table, stored?.parts[at] ?? [], next?.parts[at] ?? [], changesOf);
  }
}

function compareRows(
  table: Table,
  stored: readonly (Row | undefined)[],
  next: readonly (Row | undefined)[],
  changesOf: (table: Table) => TableChanges,
): void {
  const before = new Map<string, Row>();
  for (const row of stored) {
    if (row !== undefined) {
      before.set(keyText(pick(row, table.key)), row);
    }
  }
  for (const row of next) {
    if (row === undefined) {
      continue;
    }
    const key = pick(row, table.key);
    const text = keyText(key);
    const old = before.get(text);
    before.delete(text);
    if (old === undefined) {
      changesOf(table).inserts.push({ row, key });
    } else if (!sameValues(old, row, table.values)) {
      changesOf(table).updates.push({
        row,
        key,
        ...(table.version === undefined ? {} : { expectedVersion: old[table.version] }),
      });
    }
  }
  for (const row of before.values()) {
    changesOf(table).deletes.push({ row, key: pick(row, table.key) });
  }
}

function byKey(a: NewRow, b: NewRow): number {
  return compareKeys(a.key, b.key);
}
