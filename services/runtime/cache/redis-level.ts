import { randomBytes } from "node:crypto";
import type { Clock } from "../values/clock.ts";
import { bucketOf, buckets, namesIn } from "./buckets.ts";
import { createInvalidationFeed, type FeedListener, feedMessage, type Position } from "./invalidation-feed.ts";
import type { RedisConnection } from "./redis-client.ts";
import type { SharedLevel, SharedPut, SharedRead } from "./shared-level.ts";

export interface RedisLevelOptions {
  /** Not disposed of. */
  readonly redis: RedisConnection;
  /** Beginning of every key and channel. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly listener: FeedListener;
  /** Interval of the checks that every node answers and no invalidation was missed. Default 500 ms. */
  readonly checkMs?: number;
  /**
   * How long Redis must work before values are read from it again, so that other processes can deliver the
   * invalidations that it missed. Default 1 s, several times their retry interval.
   */
  readonly settleMs?: number;
}

/** The shared level in Redis. */
export interface RedisLevel extends SharedLevel, Disposable {
  /** Starts the checks and the subscription. */
  start(): void;
  /** Whether values are read from Redis at the moment. */
  readonly available: boolean;
}

const leaseMs = 5_000;
/** Longer than a load, after which an older value could still arrive. */
const tombstoneMs = 60_000;
/** Time for messages on their way, before they count as lost. */
const graceMs = 100;
/** Time limit of a call with all its redirections. */
const callTimeoutMs = 400;

const away = { kind: "away" } as const;

/**
 * Redis as a shared level. After a failed call it is away: nothing is read until all nodes have answered for
 * `settleMs`.
 */
export function createRedisLevel(options: RedisLevelOptions): RedisLevel {
  const { redis, clock, listener, checkMs = 500, settleMs = 1_000 } = options;
  const { client, subscriber } = redis;
  const names = namesIn(options.prefix);
  const feed = createInvalidationFeed(listener);
  let availableAtMs = Number.POSITIVE_INFINITY;
  let interrupted = true;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const isAvailable = () => clock.monotonicMs() >= availableAtMs;
  const leave = () => {
    availableAtMs = Number.POSITIVE_INFINITY;
  };

  /** The call's result, or undefined after trouble, which makes the level away. */
  const call = async <T>(run: () => Promise<unknown>): Promise<T | undefined> => {
    try {
      return (await limited(run())) as T;
    } catch {
      leave();
      return undefined;
    }
  };

  const subscribe = async () => {
    for (const bucket of buckets) {
      await limited(subscriber.ssubscribe(names.channel(bucket)));
    }
  };

  const positionOf = async (bucket: number): Promise<Position> => {
    const [run, sequence] = (await limited(client.cacheState(names.sequence(bucket)))) as [string, number];
    return { run, sequence };
  };

  /** Whether every node answers. Flushes the buckets of which messages were missed, and subscribes again. */
  const check = async () => {
    const positions = await Promise.all(buckets.map(positionOf));
    const isBehind = (bucket: number) => !feed.isComplete(bucket, positions[bucket] as Position);
    if (buckets.some(isBehind)) {
      await new Promise((resolve) => setTimeout(resolve, graceMs));
    }
    const behind = buckets.filter(isBehind);
    interrupted = behind.length > 0;
    if (interrupted) {
      await subscribe();
    }
    for (const bucket of behind) {
      feed.skipTo(bucket, await positionOf(bucket));
    }
  };

  const checkForever = async () => {
    try {
      await check();
      availableAtMs = Math.min(availableAtMs, clock.monotonicMs() + settleMs);
    } catch {
      interrupted = true;
      leave();
    }
    if (!stopped) {
      timer = setTimeout(checkForever, checkMs).unref();
    }
  };

  const channels = new Map(buckets.map((bucket) => [names.channel(bucket), bucket]));
  subscriber.on("smessage", (channel: string, message: string) => {
    const bucket = channels.get(channel);
    if (bucket !== undefined) {
      feed.receive(bucket, message);
    }
  });

  return {
    start() {
      void checkForever();
    },
    get available() {
      return isAvailable();
    },
    get interrupted() {
      return interrupted || !isAvailable();
    },
    async read(cache, key): Promise<SharedRead> {
      if (!isAvailable()) {
        return away;
      }
      const lease = randomBytes(12).toString("base64url");
      const reply = await call<[SharedRead["kind"], string, string, number]>(() =>
        client.cacheRead(names.entry(cache, key), lease, leaseMs),
      );
      switch (reply?.[0]) {
        case "hit":
          return { kind: "hit", version: Number(reply[1]), data: reply[2], remainingMs: reply[3] };
        case "lease":
          return { kind: "lease", lease };
        case "busy":
          return { kind: "busy" };
        default:
          return away;
      }
    },
    async put(cache, key, { lease, version, data, maxAgeMs }) {
      const entry = names.entry(cache, key);
      return (await call<SharedPut>(() => client.cachePut(entry, lease, version, data, maxAgeMs))) ?? "away";
    },
    async release(cache, key, lease) {
      await call(() => client.cacheRelease(names.entry(cache, key), lease));
    },
    async invalidate(cache, key, version) {
      const bucket = bucketOf(cache, key);
      const [entry, sequence, channel] = [names.entry(cache, key), names.sequence(bucket), names.channel(bucket)];
      const message = feedMessage(cache, key, version);
      const reply = await call(() => client.cacheInvalidate(entry, sequence, version, tombstoneMs, channel, message));
      return reply !== undefined;
    },
    [Symbol.dispose]() {
      stopped = true;
      clearTimeout(timer);
      leave();
    },
  };
}

function limited<T>(reply: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no reply within ${callTimeoutMs} ms`)), callTimeoutMs);
  return Promise.race([reply, late.promise]).finally(() => clearTimeout(timer));
}
