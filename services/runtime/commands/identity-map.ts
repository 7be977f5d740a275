import { UniqueViolationError } from "../db/errors.ts";
import type { LoadedAggregate } from "./load.ts";
import type { AggregateMapping, AggregateRows, Lookup } from "./mapping.ts";
import { type Key, keyText, pick } from "./table.ts";

/** One aggregate in memory: what the database holds and what the batch has made of it. */
export interface Entry {
  readonly mapping: AggregateMapping;
  readonly key: Key;
  /** The rows that were loaded; undefined where there are none. */
  stored: AggregateRows | undefined;
  /** The current value; undefined where the aggregate does not exist. */
  value: unknown;
  /** The value that `stored` holds. */
  original: unknown;
  /** Whether a command changed the value, possibly back to what it was. */
  changed: boolean;
}

/** The aggregates of one attempt at a batch, each at most once. Every change can be undone command by command. */
export interface IdentityMap {
  /** The entry of a key; created as "does not exist" when it is met for the first time. */
  entry(mapping: AggregateMapping, key: Key): Entry;
  find(lookup: Lookup, value: Key): Entry | undefined;
  /** Takes all changes back, and adds what was loaded. */
  reset(loaded: readonly LoadedAggregate[]): void;
  /** Throws a UniqueViolationError where another entry has the same value of a unique index. */
  change(entry: Entry, value: unknown): void;
  /** All entries that a command changed. */
  changed(): Entry[];
  /** Starts a command; the function that it returns undoes all changes since. */
  mark(): () => void;
}

export function createIdentityMap(): IdentityMap {
  const entries = new Map<AggregateMapping, Map<string, Entry>>();
  const indexed = new Map<Lookup, Map<string, Entry>>();
  let journal: { entry: Entry; value: unknown }[] = [];

  const entryOf = (mapping: AggregateMapping, key: Key): Entry => {
    const ofMapping = getOrCreate(entries, mapping);
    const text = keyText(key);
    let entry = ofMapping.get(text);
    if (entry === undefined) {
      entry = { mapping, key, stored: undefined, original: undefined, value: undefined, changed: false };
      ofMapping.set(text, entry);
    }
    return entry;
  };

  const setValue = (entry: Entry, value: unknown) => {
    const lookups = Object.values(entry.mapping.indexes);
    for (const lookup of lookups) {
      const text = indexText(lookup, value);
      if (text !== undefined && (indexed.get(lookup)?.get(text) ?? entry) !== entry) {
        throw new UniqueViolationError(entry.mapping.root.name, lookup.columns);
      }
    }
    for (const lookup of lookups) {
      const index = getOrCreate(indexed, lookup);
      const before = indexText(lookup, entry.value);
      const after = indexText(lookup, value);
      if (before !== undefined) {
        index.delete(before);
      }
      if (after !== undefined) {
        index.set(after, entry);
      }
    }
    entry.value = value;
  };

  return {
    entry: entryOf,
    find: (lookup, value) => indexed.get(lookup)?.get(keyText(value)),
    reset(loaded) {
      for (const { mapping, key, rows } of loaded) {
        const entry = entryOf(mapping, key);
        entry.stored = rows;
        entry.original = mapping.fromRows(rows);
      }
      indexed.clear();
      for (const entry of [...entries.values()].flatMap((it) => [...it.values()])) {
        entry.value = undefined;
        entry.changed = false;
        setValue(entry, entry.original);
      }
    },
    change(entry, value) {
      journal.push({ entry, value: entry.value });
      setValue(entry, value);
      entry.changed = true;
    },
    changed: () => [...entries.values()].flatMap((it) => [...it.values()].filter((entry) => entry.changed)),
    mark() {
      journal = [];
      return () => {
        for (const { entry, value } of journal.reverse()) {
          setValue(entry, value);
        }
      };
    },
  };
}

function indexText({ mapping, columns }: Lookup, value: unknown): string | undefined {
  if (value === undefined) {
    return undefined;
  }
  const key = pick(mapping.toRows(value).root, columns);
  return key.some((part) => part === null || part === undefined) ? undefined : keyText(key);
}

function getOrCreate<K, Value>(map: Map<K, Map<string, Value>>, key: K): Map<string, Value> {
  let found = map.get(key);
  if (found === undefined) {
    found = new Map();
    map.set(key, found);
  }
  return found;
}
