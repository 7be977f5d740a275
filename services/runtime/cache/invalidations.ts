import type { SharedLevel } from "./shared-level.ts";

export interface InvalidationsOptions {
  readonly shared: SharedLevel;
  /** Monotonic time. */
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Delivers invalidations to the shared level, each until it is acknowledged or pointless. */
export interface Invalidations {
  /**
   * Resolves when the level has acknowledged the invalidation, or after `maxAgeMs`, when every older value has expired.
   * A later version of the same key replaces an earlier one that waits.
   */
  deliver(cache: string, key: string, version: number, maxAgeMs: number): Promise<void>;
  /** The version that waits for the level, below which its values of the key are stale; 0 for none. */
  pendingVersion(cache: string, key: string): number;
}

interface Waiting {
  readonly cache: string;
  readonly key: string;
  readonly version: number;
  readonly pointlessAtMs: number;
  /** Resolves the calls of this and of the replaced invalidations of the key. */
  readonly resolve: () => void;
}

const retryMs = 100;
/** Invalidations under way at a time while they are retried. */
const batch = 256;

export function createInvalidations({ shared, nowMs, sleep }: InvalidationsOptions): Invalidations {
  const waiting = new Map<string, Waiting>();
  let retrying = false;

  const attempt = async (id: string, entry: Waiting) => {
    const { cache, key, version } = entry;
    if (nowMs() >= entry.pointlessAtMs || (await shared.invalidate(cache, key, version))) {
      if (waiting.get(id) === entry) {
        waiting.delete(id);
      }
      entry.resolve();
    }
  };

  const retry = async () => {
    while (waiting.size > 0) {
      await sleep(retryMs);
      const due = [...waiting];
      for (let at = 0; at < due.length; at += batch) {
        await Promise.all(due.slice(at, at + batch).map(([id, entry]) => attempt(id, entry)));
      }
    }
    retrying = false;
  };

  return {
    async deliver(cache, key, version, maxAgeMs) {
      const id = `${cache}\0${key}`;
      const known = waiting.get(id);
      const done = Promise.withResolvers<void>();
      const resolve = () => {
        known?.resolve();
        done.resolve();
      };
      const latest = Math.max(version, known?.version ?? 0);
      const entry = { cache, key, version: latest, pointlessAtMs: nowMs() + maxAgeMs, resolve };
      waiting.set(id, entry);
      await attempt(id, entry);
      if (waiting.get(id) === entry && !retrying) {
        retrying = true;
        void retry();
      }
      return done.promise;
    },
    pendingVersion: (cache, key) => waiting.get(`${cache}\0${key}`)?.version ?? 0,
  };
}
