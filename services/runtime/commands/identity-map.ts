import { UniqueViolationError } from "../db/errors.ts";
import type { LoadedAggregate } from "./load.ts";
import type { AggregateMapping, AggregateRows, Lookup } from "./mapping.ts";
import { compareKeys, type Key, keyText, pick } from "./table.ts";

/** An aggregate in memory: its stored rows and the batch's current value. */
export interface Entry {
  readonly mapping: AggregateMapping;
  readonly key: Key;
  /** The loaded rows; undefined if there are none. */
  stored: AggregateRows | undefined;
  /** The current value; undefined if the aggregate does not exist. */
  value: unknown;
  /** The value of `stored`. */
  original: unknown;
  /** Whether a command changed the value, possibly back to the original. */
  changed: boolean;
}

/** The aggregates of one attempt at a batch, one entry per key. Changes can be undone command by command. */
export interface IdentityMap {
  /** Returns the entry of a key; an unknown key gets an entry that does not exist. */
  entry(mapping: AggregateMapping, key: Key): Entry;
  /** Returns the entry of an existing aggregate. */
  find(lookup: Lookup, value: Key): Entry | undefined;
  /** Returns the existing aggregates with a value of an index, in the order of their keys. */
  findAll(lookup: Lookup, value: Key): Entry[];
  /** Undoes all changes and adds loaded aggregates. */
  reset(loaded: readonly LoadedAggregate[]): void;
  /** Sets a value. Throws a UniqueViolationError if another entry has the same value of a unique index. */
  change(entry: Entry, value: unknown): void;
  /** All changed entries. */
  changed(): Entry[];
  /** Starts a command and returns a function that undoes its changes. */
  mark(): () => void;
  /**
   * Whether a command replaced a value of a unique index that an earlier one had set. It is not written, so the database
   * cannot tell whether a row that was not loaded has the same value.
   */
  hidesUniqueValue(): boolean;
}

export function createIdentityMap(): IdentityMap {
  const entries = new Map<AggregateMapping, Map<string, Entry>>();
  const indexed = new Map<Lookup, Map<string, Set<Entry>>>();
  let journal: { entry: Entry; value: unknown }[] = [];
  let hidden = false;

  /** Ends the current command. */
  const conclude = () => {
    const first = new Map(journal.toReversed().map(({ entry, value }) => [entry, value]));
    hidden ||= [...first].some(([entry, value]) => value !== entry.original && losesIndexValue(entry, value));
    journal = [];
  };

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
      const others = text === undefined || !lookup.isUnique ? undefined : indexed.get(lookup)?.get(text);
      if (others !== undefined && others.size > 0 && !others.has(entry)) {
        throw new UniqueViolationError(entry.mapping.root.name, lookup.columns);
      }
    }
    for (const lookup of lookups) {
      const index = getOrCreate(indexed, lookup);
      const before = indexText(lookup, entry.value);
      const after = indexText(lookup, value);
      if (before !== undefined) {
        index.get(before)?.delete(entry);
      }
      if (after !== undefined) {
        const found = index.get(after) ?? new Set();
        index.set(after, found.add(entry));
      }
    }
    entry.value = value;
  };

  return {
    entry: entryOf,
    find(lookup, value) {
      if (lookup.index !== undefined) {
        const [found] = indexed.get(lookup)?.get(keyText(value)) ?? [];
        return found;
      }
      const entry = entries.get(lookup.mapping)?.get(keyText(value));
      return entry?.value === undefined ? undefined : entry;
    },
    findAll: (lookup, value) =>
      [...(indexed.get(lookup)?.get(keyText(value)) ?? [])].sort((a, b) => compareKeys(a.key, b.key)),
    reset(loaded) {
      for (const { mapping, key, rows } of loaded) {
        const entry = entryOf(mapping, key);
        entry.stored = rows;
        entry.original = mapping.fromRows(rows);
      }
      journal = [];
      hidden = false;
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
      conclude();
      return () => {
        for (const { entry, value } of journal.reverse()) {
          setValue(entry, value);
        }
        journal = [];
      };
    },
    hidesUniqueValue() {
      conclude();
      return hidden;
    },
  };
}

/** Whether the entry's current value lacks a value of a unique index that `before` had. */
function losesIndexValue({ mapping, value }: Entry, before: unknown): boolean {
  return Object.values(mapping.indexes).some((lookup) => {
    const text = lookup.isUnique ? indexText(lookup, before) : undefined;
    return text !== undefined && text !== indexText(lookup, value);
  });
}

function indexText({ mapping, columns }: Lookup, value: unknown): string | undefined {
  if (value === undefined) {
    return undefined;
  }
  const key = pick(mapping.toRoot(value), columns);
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
