import type { KeySet } from "./command.ts";
import type { AggregateMapping, Lookup } from "./mapping.ts";
import { type Key, keyText } from "./table.ts";

/** Keys by lookup, without duplicates. */
export type LookupKeys = ReadonlyMap<Lookup, ReadonlyMap<string, Key>>;

/** The keys declared by one command. */
export interface Needs {
  /** Loaded before the command decides. */
  readonly loaded: LookupKeys;
  /** Expected not to exist; loaded only when a batch is retried. */
  readonly fresh: LookupKeys;
  /** Total number of keys. */
  readonly size: number;
}

/** Collects the keys of a command. Propagates the command's exceptions. */
export function collectNeeds(command: { keys(need: KeySet): void }): Needs {
  const loaded = new Map<Lookup, Map<string, Key>>();
  const fresh = new Map<Lookup, Map<string, Key>>();
  let size = 0;
  const add = (to: Map<Lookup, Map<string, Key>>, lookup: Lookup, key: Key) => {
    const { columns, mapping } = lookup;
    if (key.length !== columns.length) {
      throw new TypeError(`A key of ${mapping.root.name} has the columns ${columns.join(", ")}, not ${key.length}.`);
    }
    let keys = to.get(lookup);
    if (keys === undefined) {
      keys = new Map();
      to.set(lookup, keys);
    }
    size += 1;
    keys.set(keyText(key), key);
  };
  command.keys({
    one: (mapping, key) => add(loaded, mapping.primary, key),
    by: (mapping, index, value) => add(loaded, lookupOf(mapping, index, { isUnique: true }), value),
    all: (mapping, index, value) => add(loaded, lookupOf(mapping, index, { isUnique: false }), value),
    fresh: (mapping, key) => add(fresh, mapping.primary, key),
    freshBy: (mapping, index, value) => add(fresh, lookupOf(mapping, index, { isUnique: true }), value),
  });
  return { loaded, fresh, size };
}

/** Returns the lookup of an index. Throws if the mapping does not have it. */
export function lookupOf(
  { indexes, root }: Pick<AggregateMapping, "indexes" | "root">,
  index: string,
  { isUnique }: { isUnique: boolean },
): Lookup {
  const lookup = indexes[index];
  if (lookup?.isUnique !== isUnique) {
    const kind = isUnique ? "unique index" : "index with several rows a value";
    const known = Object.keys(indexes).filter((name) => indexes[name]?.isUnique === isUnique);
    throw new TypeError(
      `The mapping of ${root.name} has no ${kind} "${index}". Its indexes: ${known.join(", ") || "none"}.`,
    );
  }
  return lookup;
}

/** Whether the command declared this key, loaded or fresh. */
export function isNamed({ loaded, fresh }: Needs, lookup: Lookup, key: Key): boolean {
  const text = keyText(key);
  return (loaded.get(lookup)?.has(text) ?? false) || (fresh.get(lookup)?.has(text) ?? false);
}
