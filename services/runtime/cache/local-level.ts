import { LRUCache } from "lru-cache";
import type { Versioned } from "./cache.ts";

/** The moment at which a read of another level or of the database began. */
export type Ticket = number;

/** Values in this process, with the versions below which they were invalidated. Knows no time: callers pass it. */
export interface LocalLevel<V> {
  get(key: string, nowMs: number): Versioned<V> | undefined;
  /** Call it before a value is read from elsewhere. */
  begin(): Ticket;
  /** Whether no invalidation of the key and no flush has come since. */
  isCurrent(key: string, ticket: Ticket): boolean;
  /** The version below which values of the key are known to be stale; 0 if none is remembered. */
  floor(key: string): number;
  /** Keeps the value unless it was, or may have been, invalidated since the ticket. */
  put(key: string, ticket: Ticket, found: Versioned<V>, expiresAtMs: number): void;
  invalidate(key: string, version: number): void;
  /** Drops the values with matching keys, and refuses those being read at the moment. */
  flush(matches: (key: string) => boolean): void;
}

interface Entry<V> extends Versioned<V> {
  readonly expiresAtMs: number;
}

/** Lowest valid version of a key, and when it became so. */
interface Floor {
  readonly version: number;
  readonly at: Ticket;
}

export function createLocalLevel<V>(maxEntries: number): LocalLevel<V> {
  const entries = new LRUCache<string, Entry<V>>({ max: maxEntries });
  /** Counts invalidations and flushes: the level's own order of events. */
  let now: Ticket = 0;
  /** Reads that began before this may have missed an invalidation. */
  let forgottenUntil: Ticket = 0;
  const floors = new LRUCache<string, Floor>({
    max: maxEntries,
    dispose(floor, _key, reason) {
      if (reason === "evict") {
        forgottenUntil = Math.max(forgottenUntil, floor.at);
      }
    },
  });
  const floor = (key: string) => floors.get(key)?.version ?? 0;

  return {
    get(key, nowMs) {
      const entry = entries.get(key);
      if (entry !== undefined && nowMs >= entry.expiresAtMs) {
        entries.delete(key);
        return undefined;
      }
      return entry;
    },
    begin: () => now,
    isCurrent: (key, ticket) => ticket >= forgottenUntil && ticket >= (floors.get(key)?.at ?? 0),
    floor,
    put(key, ticket, { version, value }, expiresAtMs) {
      const known = entries.peek(key);
      if (ticket >= forgottenUntil && version >= floor(key) && version >= (known?.version ?? 0)) {
        entries.set(key, { version, value, expiresAtMs });
      }
    },
    invalidate(key, version) {
      now += 1;
      floors.set(key, { version: Math.max(version, floors.peek(key)?.version ?? 0), at: now });
      if ((entries.peek(key)?.version ?? version) < version) {
        entries.delete(key);
      }
    },
    flush(matches) {
      now += 1;
      forgottenUntil = now;
      for (const key of entries.keys()) {
        if (matches(key)) {
          entries.delete(key);
        }
      }
    },
  };
}
