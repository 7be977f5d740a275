import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { randomNumbers, testSeed } from "../testing/random.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { type Caches, createCaches } from "./caches.ts";
import { connectRedis, type RedisConnection } from "./redis-client.ts";
import { createRedisLevel } from "./redis-level.ts";
import { describeRedis } from "./testing/describe-redis.ts";
import { type RedisNode, startRedis } from "./testing/redis-servers.ts";
import { emptyEntry, invalidate, put, read, release } from "./testing/shared-entry.ts";

/** A process: connections of its own, its caches, and one cache in them. */
function open(node: RedisNode, { localMs = 5_000, maxAgeMs = 60_000, prefix = "test" } = {}) {
  const redis = connectRedis({ urls: [node.url], cluster: false });
  const caches = createCaches({ redis, prefix, clock: systemClock });
  const codec = { encode: String, decode: Number };
  const cache = caches.create<number>({ name: "rows", maxAgeMs, localMs, codec });
  return {
    caches,
    cache,
    [Symbol.dispose]() {
      caches[Symbol.dispose]();
      redis[Symbol.dispose]();
    },
  };
}

const usable = ({ shared }: Caches) => until(() => shared?.available === true && !shared.interrupted);
const row = (version: number) => async () => ({ version, value: version });
const never = () => Promise.reject(new Error("nothing was to be loaded"));

describeRedis("a cache on one Redis node", () => {
  let servers: Awaited<ReturnType<typeof startRedis>>;
  let node: RedisNode;
  beforeAll(async () => {
    servers = await startRedis();
    node = servers.node;
  });
  afterAll(async () => servers[Symbol.asyncDispose]());

  test("the scripts follow the rules of the state machine", async () => {
    using redis: RedisConnection = connectRedis({ urls: [node.url], cluster: false });
    await until(() => redis.client.status === "ready");
    const random = randomNumbers(testSeed);
    const run = /run_id:(\w+)/.exec(await node.cli("info", "server"))?.[1] ?? "";
    const { client } = redis;
    const leaseMs = 600_000;
    const maxAgeMs = 600_000;
    const trace: string[] = [`seed ${testSeed}`];
    for (let round = 0; round < 40; round += 1) {
      let entry = emptyEntry;
      const key = `{model}${round}`;
      const tokens = ["t0"];
      for (let step = 0; step < 25; step += 1) {
        const server = { run, nowMs: 0 };
        const token = tokens[random(tokens.length)] as string;
        const version = 1 + random(4);
        switch (random(4)) {
          case 0: {
            const fresh = `t${tokens.push("") - 1}`;
            tokens[tokens.length - 1] = fresh;
            const next = read(entry, server, { token: fresh, leaseMs });
            entry = next.entry;
            const [kind, foundVersion, data] = (await client.cacheRead(key, fresh, leaseMs)) as string[];
            const { result } = next;
            trace.push(`read ${fresh}`);
            expect([trace, kind]).toEqual([trace, result.kind]);
            if (result.kind === "hit") {
              expect([trace, Number(foundVersion), data]).toEqual([trace, result.version, result.data]);
            }
            break;
          }
          case 1: {
            const next = put(entry, server, { lease: token, version, data: `d${version}`, maxAgeMs });
            entry = next.entry;
            trace.push(`put ${token} ${version}`);
            expect([trace, await client.cachePut(key, token, version, `d${version}`, maxAgeMs)]).toEqual([
              trace,
              next.result,
            ]);
            break;
          }
          case 2:
            entry = release(entry, token);
            trace.push(`release ${token}`);
            await client.cacheRelease(key, token);
            break;
          default: {
            const next = invalidate(entry, version);
            entry = next.entry;
            trace.push(`invalidate ${version}`);
            const told = await client.cacheInvalidate(key, "{model}sequence", version, leaseMs, "{model}channel", "");
            expect([trace, told]).toEqual([trace, next.told ? 1 : 0]);
          }
        }
      }
      trace.length = 1;
    }
  });

  test("a value that one process loaded is another's hit, until it is invalidated", async () => {
    using writer = open(node);
    using reader = open(node);
    await Promise.all([usable(writer.caches), usable(reader.caches)]);
    expect(await writer.cache.get("a", row(1))).toBe(1);
    expect(await reader.cache.get("a", never)).toBe(1);
    await writer.cache.invalidate("a", 2);
    await until(async () => (await reader.cache.get("a", row(2))) === 2, 1_000);
    expect(await writer.cache.get("a", never)).toBe(2);
  });

  test("of many processes that miss at once, one loads", async () => {
    const processes = Array.from({ length: 4 }, () => open(node));
    await Promise.all(processes.map(({ caches }) => usable(caches)));
    let loads = 0;
    const load = async () => {
      loads += 1;
      await sleep(100);
      return { version: 1, value: 7 };
    };
    const reads = processes.flatMap(({ cache }) => Array.from({ length: 10 }, () => cache.get("stampede", load)));
    expect(new Set(await Promise.all(reads))).toEqual(new Set([7]));
    expect(loads).toBe(1);
    for (const process of processes) {
      process[Symbol.dispose]();
    }
  });

  test("a value that was read before an invalidation cannot be stored after it", async () => {
    using writer = open(node);
    using reader = open(node);
    await Promise.all([usable(writer.caches), usable(reader.caches)]);
    const slow = reader.cache.get("slow", async () => {
      await writer.cache.invalidate("slow", 2);
      return { version: 1, value: 1 };
    });
    await slow;
    expect(await reader.cache.get("slow", row(2))).toBe(2);
    expect(await writer.cache.get("slow", never)).toBe(2);
  });

  test("a missing row is not cached, and a load that fails holds up no other", async () => {
    using process = open(node);
    await usable(process.caches);
    expect(await process.cache.get("none", async () => undefined)).toBeUndefined();
    await expect(process.cache.get("none", never)).rejects.toThrow("nothing was to be loaded");
    const began = performance.now();
    expect(await process.cache.get("none", row(1))).toBe(1);
    expect(performance.now() - began).toBeLessThan(400);
  });

  test("a subscriber that missed a message drops its values", async () => {
    using writer = open(node);
    using reader = open(node);
    await Promise.all([usable(writer.caches), usable(reader.caches)]);
    await writer.cache.get("cut", row(1));
    expect(await reader.cache.get("cut", never)).toBe(1);
    await node.cli("client", "kill", "type", "pubsub");
    await writer.cache.invalidate("cut", 2);
    await until(async () => (await reader.cache.get("cut", row(2))) === 2, 2_500);
    await usable(reader.caches);
    await reader.cache.get("cut again", row(1));
    await writer.cache.invalidate("cut again", 2);
    await until(async () => (await reader.cache.get("cut again", row(2))) === 2, 1_000);
  });

  test("while Redis is away values are loaded, and after its return none is stale", async () => {
    using writer = open(node, { localMs: 0 });
    using reader = open(node, { localMs: 0 });
    await Promise.all([usable(writer.caches), usable(reader.caches)]);
    await writer.cache.get("paused", row(1));
    expect(await reader.cache.get("paused", never)).toBe(1);
    node.pause();
    const began = performance.now();
    expect(await reader.cache.get("paused", row(1))).toBe(1);
    expect(performance.now() - began).toBeLessThan(1_000);
    const delivered = writer.cache.invalidate("paused", 2);
    const reads = Array.from({ length: 20 }, () => reader.cache.get("paused", row(2)));
    expect(new Set(await Promise.all(reads))).toEqual(new Set([2]));
    await sleep(1_000);
    node.resume();
    const seen = new Set<number | undefined>();
    await until(async () => {
      seen.add(await reader.cache.get("paused", row(2)));
      return reader.caches.shared?.available === true;
    });
    await delivered;
    seen.add(await reader.cache.get("paused", row(2)));
    expect(seen).toEqual(new Set([2]));
  });

  test("a server that crashed and came back from its disk is not believed", async () => {
    using process = open(node, { localMs: 0 });
    await usable(process.caches);
    await process.cache.get("crashed", row(1));
    await node.cli("config", "set", "appendfsync", "always");
    await node.kill();
    await node.start();
    await usable(process.caches);
    expect(await process.cache.get("crashed", row(2))).toBe(2);
  });

  test("an invalidation that Redis does not take ends when every older value has expired", async () => {
    using redis = connectRedis({ urls: ["redis://127.0.0.1:1"], cluster: false });
    using caches = createCaches({ redis, prefix: "test", clock: systemClock });
    const cache = caches.create<number>({ name: "rows", maxAgeMs: 300, codec: { encode: String, decode: Number } });
    expect(await cache.get("a", row(1))).toBe(1);
    await cache.invalidate("a", 2);
    expect(await cache.get("a", row(2))).toBe(2);
  });

  test("loads are bounded while Redis is away", async () => {
    using redis = connectRedis({ urls: ["redis://127.0.0.1:1"], cluster: false });
    const shared = createRedisLevel({
      redis,
      prefix: "test",
      clock: systemClock,
      listener: { invalidate() {}, flush() {} },
    });
    expect(await shared.read("rows", "a")).toEqual({ kind: "away" });
    using caches = createCaches({ redis, prefix: "test", clock: systemClock });
    const codec = { encode: String, decode: Number };
    const cache = caches.create<number>({ name: "rows", maxAgeMs: 300, maxLoads: 5, codec });
    let [running, most] = [0, 0];
    const load = async () => {
      running += 1;
      most = Math.max(most, running);
      await sleep(5);
      running -= 1;
      return { version: 1, value: 1 };
    };
    await Promise.all(Array.from({ length: 100 }, (_, key) => cache.get(String(key), load)));
    expect(most).toBe(5);
  });
});
