import { type AggregateMapping, type AggregateRows, type Lookup, rootKeyOf } from "./mapping.ts";
import type { LookupKeys } from "./needs.ts";
import type { Statements } from "./statements.ts";
import { compareKeys, type Key, keyText, pick, type Row } from "./table.ts";

/** An existing aggregate. */
export interface LoadedAggregate {
  readonly mapping: AggregateMapping;
  readonly key: Key;
  readonly rows: AggregateRows;
}

/**
 * Loads the aggregates with one SELECT per table (more beyond the limit of keys per statement) and locks their root
 * rows, which also protect the parts. Tables are read in the order of their names and keys ascending, so that processes
 * wait for each other instead of deadlocking.
 */
export async function loadAggregates(statements: Statements, needs: readonly LookupKeys[]): Promise<LoadedAggregate[]> {
  const rootsByMapping = new Map<AggregateMapping, Map<string, Row>>();
  for (const [lookup, keys] of mergeSorted(needs)) {
    const { mapping, columns, databaseIndex } = lookup;
    const roots = rootsByMapping.get(mapping) ?? new Map<string, Row>();
    rootsByMapping.set(mapping, roots);
    for (const row of await statements.select(mapping.root, columns, keys, { lock: true, index: databaseIndex })) {
      roots.set(keyText(pick(row, mapping.root.key)), row);
    }
  }
  const loaded: LoadedAggregate[] = [];
  for (const [mapping, roots] of rootsByMapping) {
    if (roots.size > 0) {
      loaded.push(...(await loadParts(statements, mapping, roots)));
    }
  }
  return loaded;
}

async function loadParts(
  statements: Statements,
  mapping: AggregateMapping,
  roots: ReadonlyMap<string, Row>,
): Promise<LoadedAggregate[]> {
  const keys = [...roots.values()].map((row) => pick(row, mapping.root.key)).sort(compareKeys);
  const parts: Map<string, Row[]>[] = [];
  for (const table of mapping.parts) {
    const rows = await statements.select(table, table.key.slice(0, mapping.root.key.length), keys, {
      lock: false,
      index: undefined,
    });
    parts.push(Map.groupBy(rows, (row) => keyText(rootKeyOf(mapping, table, row))));
  }
  return keys.flatMap((key) => {
    const text = keyText(key);
    const root = roots.get(text);
    return root === undefined ? [] : [{ mapping, key, rows: { root, parts: parts.map((it) => it.get(text) ?? []) } }];
  });
}

/** Merges the keys of all commands by lookup, without duplicates, in locking order. */
function mergeSorted(needs: readonly LookupKeys[]): [Lookup, Key[]][] {
  const merged = new Map<Lookup, Map<string, Key>>();
  for (const [lookup, keys] of needs.flatMap((it) => [...it])) {
    const known = merged.get(lookup);
    if (known === undefined) {
      merged.set(lookup, new Map(keys));
    } else {
      for (const [text, key] of keys) {
        known.set(text, key);
      }
    }
  }
  return [...merged]
    .sort(([a], [b]) => (lockOrder(a) < lockOrder(b) ? -1 : 1))
    .map(([lookup, keys]) => [lookup, [...keys.values()].sort(compareKeys)]);
}

/** Tables by name; the primary key before other indexes. */
function lockOrder({ mapping, index = "" }: Lookup): string {
  return `${mapping.root.name} ${index}`;
}
