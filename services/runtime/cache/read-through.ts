import type { Cache, CacheDefinition, Load, Versioned } from "./cache.ts";
import { createLoadSlots } from "./load-slots.ts";
import type { LocalLevel, Ticket } from "./local-level.ts";
import type { SharedLevel } from "./shared-level.ts";

/** Where a read found its value. `joined`: in a load that was under way in this process. */
export type ReadOutcome = "local" | "shared" | "joined" | "loaded";

export interface ReadThroughOptions<V> {
  readonly definition: CacheDefinition<V>;
  readonly local: LocalLevel<V>;
  /** Undefined: values stay in this process. */
  readonly shared: SharedLevel | undefined;
  /** The invalidated version of a key that the shared level has not acknowledged; 0 for none. */
  readonly pendingVersion: (key: string) => number;
  /** Monotonic time. */
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly onRead?: ((outcome: ReadOutcome) => void) | undefined;
}

/** Greatest time of a value in the process. */
export const maxLocalMs = 5_000;
/** The same while invalidations of other processes may be missing. */
const interruptedLocalMs = 1_000;
/** How long a read waits for another process's load before it loads too. */
const leaseWaitMs = 500;
const leasePollMs = 15;
/** How often a value is loaded again because a later version is known already. */
const maxLoads = 3;

/** Outcome of one attempt: a value, or that a later version must exist. */
type Attempt<V> = { readonly found: Versioned<V> | undefined; readonly outdated?: boolean };

/** The reading side of a {@link Cache}; see there for its promises. */
export function createReadThrough<V>(options: ReadThroughOptions<V>): Pick<Cache<V>, "get"> {
  const { definition, local, shared, nowMs, sleep, onRead = () => {} } = options;
  const { name, maxAgeMs, codec, localMs = maxLocalMs } = definition;
  const inSlot = createLoadSlots(definition.maxLoads ?? 64);
  const underway = new Map<string, { ticket: Ticket; promise: Promise<V | undefined> }>();
  const level = codec === undefined ? undefined : shared;
  const floorOf = (key: string) => Math.max(local.floor(key), options.pendingVersion(key));

  const keep = (key: string, ticket: Ticket, found: Versioned<V>, beganMs: number, remainingMs: number) => {
    const longest = level?.interrupted === true ? Math.min(localMs, interruptedLocalMs) : localMs;
    local.put(key, ticket, found, beganMs + Math.min(longest, maxLocalMs, remainingMs));
  };

  /** Loads without a lease: nothing is stored in the shared level. */
  const loadAlone = async (key: string, load: Load<V>): Promise<Attempt<V>> => {
    const [ticket, beganMs] = [local.begin(), nowMs()];
    const found = await inSlot(load);
    if (found === undefined) {
      return { found };
    }
    keep(key, ticket, found, beganMs, maxAgeMs);
    return { found, outdated: found.version < floorOf(key) };
  };

  const loadWithLease = async (key: string, lease: string, load: Load<V>): Promise<Attempt<V>> => {
    const [ticket, beganMs] = [local.begin(), nowMs()];
    let found: Versioned<V> | undefined;
    try {
      found = await inSlot(load);
    } finally {
      if (found === undefined) {
        await level?.release(name, key, lease);
      }
    }
    if (found === undefined) {
      return { found };
    }
    const data = codec?.encode(found.value, key) ?? "";
    const outcome = await level?.put(name, key, { lease, version: found.version, data, maxAgeMs });
    if (outcome === "stored" || outcome === "away") {
      keep(key, ticket, found, beganMs, maxAgeMs);
    }
    return { found, outdated: outcome === "older" || found.version < floorOf(key) };
  };

  /** One pass through both levels. */
  const attempt = async (key: string, load: Load<V>): Promise<Attempt<V>> => {
    if (level === undefined) {
      return loadAlone(key, load);
    }
    const giveUpAtMs = nowMs() + leaseWaitMs;
    for (;;) {
      const [ticket, beganMs, floor] = [local.begin(), nowMs(), floorOf(key)];
      const read = await level.read(name, key);
      if (read.kind === "lease") {
        return loadWithLease(key, read.lease, load);
      }
      if (read.kind === "hit") {
        const value = codec?.decode(read.data, key);
        // An older version than one known here: the invalidation has not reached the level yet.
        if (value === undefined || read.version < Math.max(floor, floorOf(key))) {
          return loadAlone(key, load);
        }
        const found = { version: read.version, value };
        keep(key, ticket, found, beganMs, read.remainingMs);
        onRead("shared");
        return { found };
      }
      if (read.kind === "away" || nowMs() >= giveUpAtMs) {
        return loadAlone(key, load);
      }
      await sleep(leasePollMs);
    }
  };

  const fill = async (key: string, load: Load<V>): Promise<V | undefined> => {
    const counted: Load<V> = () => {
      onRead("loaded");
      return load();
    };
    let last = await attempt(key, counted);
    for (let loads = 1; last.outdated === true && loads < maxLoads; loads += 1) {
      last = await attempt(key, counted);
    }
    return last.found?.value;
  };

  return {
    async get(key, load) {
      const known = local.get(key, nowMs());
      if (known !== undefined) {
        onRead("local");
        return known.value;
      }
      // Where every read asks the shared level, a read may not return what one that began earlier found.
      const running = localMs === 0 ? undefined : underway.get(key);
      if (running !== undefined && local.isCurrent(key, running.ticket)) {
        onRead("joined");
        return running.promise;
      }
      const entry = { ticket: local.begin(), promise: fill(key, load) };
      underway.set(key, entry);
      try {
        return await entry.promise;
      } finally {
        if (underway.get(key) === entry) {
          underway.delete(key);
        }
      }
    },
  };
}
