import { UniqueViolationError } from "../db/errors.ts";
import { inActiveTrace, type OutboxEvent } from "../outbox/outbox.ts";
import type { Batch, Command } from "./command.ts";
import type { Entry, IdentityMap } from "./identity-map.ts";
import type { AggregateMapping } from "./mapping.ts";
import { isNamed, lookupOf, type Needs } from "./needs.ts";
import type { Key } from "./table.ts";

/** A command with its declared keys. */
export interface PreparedCommand {
  readonly command: Command<unknown>;
  readonly needs: Needs;
}

/** Outcome of one command. */
export type Outcome = { readonly result: unknown } | { readonly error: unknown };

export interface Decisions {
  /** In the order of the commands. */
  readonly outcomes: readonly Outcome[];
  readonly events: readonly OutboxEvent[];
  readonly afterCommit: readonly (() => void)[];
}

/** Runs the commands in sequence on the loaded values. An exception undoes the changes of its command only. */
export function decideAll(commands: readonly PreparedCommand[], map: IdentityMap, nowMs: number): Decisions {
  const events: OutboxEvent[] = [];
  const afterCommit: (() => void)[] = [];
  const outcomes = commands.map(({ command, needs }): Outcome => {
    const undo = map.mark();
    const before = { events: events.length, afterCommit: afterCommit.length };
    const batch = createBatch({ map, needs, nowMs, events, afterCommit });
    try {
      const result = command.decide(batch);
      if (result instanceof Promise) {
        result.catch(() => {});
        throw new TypeError("A command must decide synchronously: await what it needs before it is executed.");
      }
      return { result };
    } catch (error) {
      undo();
      events.length = before.events;
      afterCommit.length = before.afterCommit;
      return { error };
    }
  });
  return { outcomes, events, afterCommit };
}

interface BatchOptions {
  map: IdentityMap;
  needs: Needs;
  nowMs: number;
  events: OutboxEvent[];
  afterCommit: (() => void)[];
}

function createBatch({ map, needs, nowMs, events, afterCommit }: BatchOptions): Batch {
  /** Entries that the command inserted or found by an index. */
  const known = new Set<Entry>();
  const named = (mapping: AggregateMapping, key: Key): Entry => {
    const entry = map.entry(mapping, key);
    if (!known.has(entry) && !isNamed(needs, mapping.primary, key)) {
      throw new Error(`The command did not name the key (${key.join(", ")}) of ${mapping.root.name}.`);
    }
    return entry;
  };
  const existing = (mapping: AggregateMapping, key: Key): Entry => {
    const entry = named(mapping, key);
    if (entry.value === undefined) {
      throw new Error(`There is no (${key.join(", ")}) in ${mapping.root.name} to change.`);
    }
    return entry;
  };
  return {
    nowMs,
    get: <V>(mapping: AggregateMapping<Key, V>, key: Key) => named(mapping, key).value as V | undefined,
    find<V>(mapping: AggregateMapping<Key, V>, index: string, value: Key) {
      const lookup = lookupOf(mapping, index, { isUnique: true });
      if (!isNamed(needs, lookup, value)) {
        throw new Error(
          `The command did not name (${value.join(", ")}) of the index ${index} of ${mapping.root.name}.`,
        );
      }
      const entry = map.find(lookup, value);
      if (entry !== undefined) {
        known.add(entry);
      }
      return entry?.value as V | undefined;
    },
    list<V>(mapping: AggregateMapping<Key, V>, index: string, value: Key) {
      const lookup = lookupOf(mapping, index, { isUnique: false });
      if (!isNamed(needs, lookup, value)) {
        throw new Error(
          `The command did not name (${value.join(", ")}) of the index ${index} of ${mapping.root.name}.`,
        );
      }
      return map.findAll(lookup, value).map((entry) => {
        known.add(entry);
        return entry.value as V;
      });
    },
    insert(mapping, value) {
      const key = mapping.keyOf(value);
      const entry = map.entry(mapping, key);
      if (entry.value !== undefined) {
        throw new UniqueViolationError(mapping.root.name, mapping.root.key);
      }
      known.add(entry);
      map.change(entry, value);
    },
    update(mapping, value) {
      map.change(existing(mapping, mapping.keyOf(value)), value);
    },
    delete(mapping, key) {
      map.change(existing(mapping, key), undefined);
    },
    publish: (event) => void events.push(inActiveTrace(event)),
    afterCommit: (run) => void afterCommit.push(run),
  };
}
