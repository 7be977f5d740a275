import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../values/clock.ts";
import { bucketOf } from "./buckets.ts";
import type { Cache, CacheDefinition } from "./cache.ts";
import { createInvalidations } from "./invalidations.ts";
import { createLocalLevel, type LocalLevel } from "./local-level.ts";
import { createReadThrough, type ReadOutcome } from "./read-through.ts";
import type { RedisConnection } from "./redis-client.ts";
import { createRedisLevel, type RedisLevel } from "./redis-level.ts";

export interface CachesOptions {
  /** Undefined: values stay in this process, whose invalidations are then the only ones. */
  readonly redis?: RedisConnection | undefined;
  /** Beginning of every name in Redis. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly onRead?: (cache: string, outcome: ReadOutcome) => void;
}

/** The caches of a process. */
export interface Caches extends Disposable {
  /** Creates a cache. Once per name. */
  create<V>(definition: CacheDefinition<V>): Cache<V>;
  /** The level in Redis, if it is configured. */
  readonly shared: Pick<RedisLevel, "available" | "interrupted"> | undefined;
}

export function createCaches({ redis, prefix, clock, onRead = () => {} }: CachesOptions): Caches {
  const locals = new Map<string, LocalLevel<unknown>>();
  const shared =
    redis &&
    createRedisLevel({
      redis,
      prefix,
      clock,
      listener: {
        invalidate: (cache, key, version) => locals.get(cache)?.invalidate(key, version),
        flush(bucket) {
          for (const [name, local] of locals) {
            local.flush((key) => bucketOf(name, key) === bucket);
          }
        },
      },
    });
  const time = { nowMs: () => clock.monotonicMs(), sleep: (ms: number) => sleep(ms, undefined, { ref: false }) };
  const invalidations = shared && createInvalidations({ shared, ...time });
  shared?.start();

  return {
    shared,
    create<V>(definition: CacheDefinition<V>): Cache<V> {
      const { name, maxEntries = 10_000, codec, maxAgeMs } = definition;
      if (locals.has(name)) {
        throw new Error(`there are two caches named ${name}`);
      }
      const local = createLocalLevel<V>(maxEntries);
      locals.set(name, local as LocalLevel<unknown>);
      const isShared = codec !== undefined && shared !== undefined;
      return {
        ...createReadThrough({
          definition,
          local,
          shared,
          pendingVersion: (key) => invalidations?.pendingVersion(name, key) ?? 0,
          ...time,
          onRead: (outcome) => onRead(name, outcome),
        }),
        async invalidate(key, version) {
          local.invalidate(key, version);
          if (isShared) {
            await invalidations?.deliver(name, key, version, maxAgeMs);
          }
        },
      };
    },
    [Symbol.dispose]: () => shared?.[Symbol.dispose](),
  };
}
