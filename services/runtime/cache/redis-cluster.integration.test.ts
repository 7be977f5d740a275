import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../testing/until.ts";
import { bucketCount, namesIn } from "./buckets.ts";
import { describeRedis } from "./testing/describe-redis.ts";
import { type RaceOutcome, runRaces } from "./testing/race.ts";
import { type RedisNode, type RedisServers, startRedisCluster } from "./testing/redis-servers.ts";

// biome-ignore lint/style/noProcessEnv: how many races is the caller's choice
const operations = Number(process.env["DOCKET_CACHE_RACES"] ?? 6_000);

describeRedis("a cache on a Redis Cluster, raced by three processes", () => {
  let servers: RedisServers;
  beforeAll(async () => {
    servers = await startRedisCluster();
  });
  afterAll(async () => servers[Symbol.asyncDispose]());

  const racing = (during?: () => Promise<void>, options: Partial<Parameters<typeof runRaces>[0]> = {}) =>
    runRaces({ urls: servers.nodes.map(({ url }) => url), cluster: true, ...options }, during);

  const expectSound = ({ reads, changes, errors, stale }: RaceOutcome, least = 500) => {
    expect({ errors, stale }).toEqual({ errors: [], stale: [] });
    expect(reads).toBeGreaterThan(least);
    expect(changes).toBeGreaterThan(least / 50);
  };

  test(`returns nothing stale in ${operations} operations`, async () => {
    const each = Math.ceil(operations / 3);
    expectSound(await racing(undefined, { operations: each, pauseMs: 1 }), operations / 2);
  }, 600_000);

  test("would be found to return stale values if it deleted and filled without versions", async () => {
    const { stale } = await racing(undefined, { operations: 2_000, pauseMs: 1, unversioned: true });
    expect(stale.length).toBeGreaterThan(0);
  });

  test("returns nothing stale while a slot moves to another master", async () => {
    const outcome = await racing(async () => {
      await sleep(3_000);
      for (let bucket = 0; bucket < 4; bucket += 1) {
        await moveSlot(servers.nodes, bucket);
      }
      await sleep(2_000);
    });
    expectSound(outcome);
  });

  test("returns nothing stale when a master is killed and replaced", async () => {
    const outcome = await racing(async () => {
      await sleep(3_000);
      const master = await masterOf(servers.nodes, 0);
      await master.kill();
      await untilReplaced(servers.nodes, 0, master);
      await sleep(2_000);
      await master.start();
      await sleep(1_500);
    });
    expectSound(outcome);
    await untilWhole(servers.nodes);
  });

  test("returns nothing stale when a master is cut off, replaced, and comes back", async () => {
    const outcome = await racing(async () => {
      await sleep(3_000);
      const master = await masterOf(servers.nodes, 0);
      master.pause();
      await untilReplaced(servers.nodes, 0, master);
      await sleep(1_500);
      master.resume();
      await sleep(2_000);
    });
    expectSound(outcome);
    await untilWhole(servers.nodes);
  });

  test("returns nothing stale when the cluster is down, and after its return", async () => {
    const outcome = await racing(async () => {
      await sleep(3_000);
      const master = await masterOf(servers.nodes, 0);
      const replica = await replicaOf(servers.nodes, master);
      await Promise.all([master.kill(), replica.kill()]);
      const [witness] = servers.nodes.filter((node) => node !== master && node !== replica);
      await until(async () => (await witness?.cli("cluster", "info"))?.includes("cluster_state:fail") === true);
      await sleep(1_000);
      await Promise.all([master.start(), replica.start()]);
      await untilWhole(servers.nodes);
      await sleep(2_000);
    });
    expectSound(outcome);
  });

  test("returns nothing stale when subscriptions are cut", async () => {
    const outcome = await racing(async () => {
      await sleep(2_500);
      for (let time = 0; time < 3; time += 1) {
        await Promise.all(servers.nodes.map((node) => node.cli("client", "kill", "type", "pubsub")));
        await sleep(700);
      }
    });
    expectSound(outcome);
  });
});

/** The slot of a bucket of the racing processes. */
async function slotOf(node: RedisNode, bucket: number): Promise<string> {
  return (await node.cli("cluster", "keyslot", namesIn("race").sequence(bucket % bucketCount))).trim();
}

/** The node that others call the master of the bucket's slot. */
async function masterOf(nodes: readonly RedisNode[], bucket: number): Promise<RedisNode> {
  const found = await findMaster(nodes, bucket);
  if (found === undefined) {
    throw new Error(`no node knows the master of bucket ${bucket}`);
  }
  return found;
}

/** Waits until the nodes but `old` call another one the master of the bucket's slot. */
function untilReplaced(nodes: readonly RedisNode[], bucket: number, old: RedisNode): Promise<void> {
  const others = nodes.filter((node) => node !== old);
  return until(async () => {
    const found = await findMaster(others, bucket);
    return found !== undefined;
  });
}

async function findMaster(nodes: readonly RedisNode[], bucket: number): Promise<RedisNode | undefined> {
  for (const node of nodes) {
    const slot = await slotOf(node, bucket).catch(() => undefined);
    if (slot === undefined) {
      continue;
    }
    const port = (await slotTable(node)).find(({ from, to }) => from <= Number(slot) && Number(slot) <= to)?.port;
    const found = nodes.find((other) => other.port === port);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

/** Masters with their ranges of slots, as `cluster nodes` lists them. */
async function slotTable(node: RedisNode): Promise<{ from: number; to: number; port: number }[]> {
  const lines = (await node.cli("cluster", "nodes")).split("\n");
  return lines
    .filter((line) => /\bmaster\b/.test(line) && !/\bfail\b/.test(line))
    .flatMap((line) => {
      const [, address = "", , , , , , , ...ranges] = line.split(" ");
      const port = Number(/:(\d+)@/.exec(address)?.[1]);
      return ranges
        .filter((range) => /^\d/.test(range))
        .map((range) => {
          const [from = "", to = from] = range.split("-");
          return { from: Number(from), to: Number(to), port };
        });
    });
}

async function idOf(node: RedisNode): Promise<string> {
  return (await node.cli("cluster", "myid")).trim();
}

async function replicaOf(nodes: readonly RedisNode[], master: RedisNode): Promise<RedisNode> {
  const lines = (await master.cli("cluster", "replicas", await idOf(master))).split("\n");
  const port = Number(/:(\d+)@/.exec(lines[0] ?? "")?.[1]);
  const found = nodes.find((node) => node.port === port);
  if (found === undefined) {
    throw new Error("the master has no replica");
  }
  return found;
}

/** Moves the slot of a bucket with its keys to another master, one key at a time. */
async function moveSlot(nodes: readonly RedisNode[], bucket: number): Promise<void> {
  const from = await masterOf(nodes, bucket);
  const ports = (await slotTable(from)).map(({ port }) => port);
  const to = nodes.find(({ port }) => port !== from.port && ports.includes(port)) as RedisNode;
  const slot = await slotOf(from, bucket);
  const [fromId, toId] = await Promise.all([idOf(from), idOf(to)]);
  await to.cli("cluster", "setslot", slot, "importing", fromId);
  await from.cli("cluster", "setslot", slot, "migrating", toId);
  for (;;) {
    const [key] = (await from.cli("cluster", "getkeysinslot", slot, "1")).split("\n").filter((line) => line !== "");
    if (key === undefined) {
      break;
    }
    await from.cli("migrate", "127.0.0.1", String(to.port), key, "0", "1000");
    await sleep(10);
  }
  await to.cli("cluster", "setslot", slot, "node", toId);
  await from.cli("cluster", "setslot", slot, "node", toId);
}

/** Until every node calls the cluster whole, with a replica for each master. */
async function untilWhole(nodes: readonly RedisNode[]): Promise<void> {
  await until(async () => {
    const states = await Promise.all(
      nodes.map(async (node) => [await node.cli("cluster", "info"), await node.cli("cluster", "nodes")].join("\n")),
    );
    return states.every(
      (state) =>
        state.includes("cluster_state:ok") && !/\bfail\b(?!:)/.test(state.replace(/cluster_slots_p?fail/g, "")),
    );
  });
}
