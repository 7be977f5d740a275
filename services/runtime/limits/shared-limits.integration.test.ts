import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { connectRedis } from "../cache/redis-client.ts";
import { describeRedis } from "../cache/testing/describe-redis.ts";
import { type RedisNode, startRedis, startRedisCluster } from "../cache/testing/redis-servers.ts";
import { until } from "../testing/until.ts";
import { createSharedRateLimiter } from "./rate-limiter.ts";

/** The limiter of a process with its own connection. `state.isAvailable` is what its checks of Redis say. */
function open(nodes: readonly RedisNode[], name = "test") {
  const redis = connectRedis({ urls: nodes.map(({ url }) => url), cluster: nodes.length > 1 });
  const state = { isAvailable: true };
  const limiter = createSharedRateLimiter(
    { name, limit: 3, windowSeconds: 60 },
    { client: redis.client, prefix: "test", isAvailable: () => state.isAvailable },
  );
  const use = async (key: string) => {
    const { allowed, remaining } = await limiter.use(key);
    return allowed ? remaining : "refused";
  };
  const ready = () => until(() => redis.client.status === "ready");
  return { limiter, use, state, ready, [Symbol.dispose]: () => redis[Symbol.dispose]() };
}

describeRedis("limits of several processes", () => {
  let servers: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    servers = await startRedis();
  });
  afterAll(async () => servers[Symbol.asyncDispose]());

  test("are counted together, by key and by name", async () => {
    using first = open(servers.nodes);
    using second = open(servers.nodes);
    using other = open(servers.nodes, "other");
    await Promise.all([first.ready(), second.ready(), other.ready()]);
    expect([await first.use("a"), await second.use("a"), await first.use("a")]).toEqual([2, 1, 0]);
    expect([await first.use("a"), await second.use("a")]).toEqual(["refused", "refused"]);
    expect(await second.use("b")).toBe(2);
    expect(await other.use("a")).toBe(2);
    const { allowed, remaining, resetMs, limit } = await second.limiter.look("a");
    expect({ allowed, remaining, limit }).toEqual({ allowed: false, remaining: 0, limit: 3 });
    expect(resetMs).toBeGreaterThan(50_000);
    expect((await second.limiter.look("nobody")).allowed).toBe(true);
  });

  test("hold in each process while Redis is away, and together again after its return", async () => {
    using first = open(servers.nodes);
    using second = open(servers.nodes);
    await Promise.all([first.ready(), second.ready()]);
    await servers.node.kill();
    // Before the checks have noticed, and after.
    expect(await first.use("c")).toBe(2);
    first.state.isAvailable = false;
    expect([await first.use("c"), await first.use("c"), await first.use("c")]).toEqual([1, 0, "refused"]);
    expect((await first.limiter.look("c")).allowed).toBe(false);
    expect(await second.use("c")).toBe(2);
    await servers.node.start();
    await Promise.all([first.ready(), second.ready()]);
    first.state.isAvailable = true;
    expect([await first.use("d"), await second.use("d")]).toEqual([2, 1]);
  });
});

describeRedis("limits in a Redis Cluster", () => {
  test("are counted together for every key", async () => {
    await using servers = await startRedisCluster();
    using first = open(servers.nodes);
    using second = open(servers.nodes);
    await Promise.all([first.ready(), second.ready()]);
    for (let key = 0; key < 20; key += 1) {
      expect([await first.use(String(key)), await second.use(String(key))]).toEqual([2, 1]);
      expect((await first.limiter.look(String(key))).remaining).toBe(1);
    }
  });
});
