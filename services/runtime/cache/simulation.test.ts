import { expect, test } from "@jest/globals";
import { randomNumbers, testSeed } from "../testing/random.ts";
import { createInvalidations } from "./invalidations.ts";
import { createLocalLevel } from "./local-level.ts";
import { createReadThrough } from "./read-through.ts";
import { createSimulatedRedis, createSimulation, type Fault } from "./testing/simulated-redis.ts";

/**
 * Three processes read and change rows through a simulated Redis that delays, loses, pauses and fails over. Checked:
 *
 * - no read rejects;
 * - a read returns at least the version that its process knew to be invalidated when it began;
 * - where every read asks the shared level: at least every version whose invalidation had been acknowledged;
 * - nothing is staler than the greatest age.
 */
// biome-ignore lint/style/noProcessEnv: how many runs is the caller's choice
const seeds = Number(process.env["DOCKET_SIMULATIONS"] ?? 300);
const keys = ["a", "b", "c"];
const maxAgeMs = 3_000;

interface Outcome {
  readonly reads: number;
  readonly stale: readonly string[];
}

async function simulate(seed: number, fault?: Fault): Promise<Outcome> {
  const random = randomNumbers(seed);
  const simulation = createSimulation(random);
  const { nowMs, sleep } = simulation;
  const redis = createSimulatedRedis(simulation, fault);
  const strict = random(2) === 0;
  /** The database: the current version of each row, and when each version was replaced. */
  const rows = new Map(keys.map((key) => [key, 1]));
  const replacedAt = new Map<string, number>();
  const acknowledged = new Map<string, number>();
  const stale: string[] = [];
  let reads = 0;

  const processes = Array.from({ length: 3 }, (_, index) => {
    const local = createLocalLevel<number>(2 + random(3));
    const known = new Map<string, number>();
    const learn = (key: string, version: number) => {
      local.invalidate(key, version);
      known.set(key, Math.max(version, known.get(key) ?? 0));
    };
    const shared = redis.levelOf({ invalidate: learn, flush: () => local.flush(() => true) });
    const codec = { encode: String, decode: Number };
    const definition = { name: "rows", maxAgeMs, codec, maxLoads: 2, ...(strict && { localMs: 0 }) };
    const invalidations = createInvalidations({ shared, nowMs, sleep });
    const pendingVersion = (key: string) => invalidations.pendingVersion("rows", key);
    const cache = createReadThrough<number>({ definition, local, shared, pendingVersion, nowMs, sleep });

    const read = async (key: string) => {
      const beganMs = nowMs();
      const floor = Math.max(known.get(key) ?? 0, strict ? (acknowledged.get(key) ?? 0) : 0);
      const version = await cache.get(key, async () => {
        await sleep(random(120));
        const value = rows.get(key) ?? 0;
        await sleep(random(120));
        return { version: value, value };
      });
      reads += 1;
      const replaced = replacedAt.get(`${key} ${version}`) ?? Number.POSITIVE_INFINITY;
      if (version === undefined || version < floor || beganMs - replaced > maxAgeMs) {
        stale.push(`process ${index} read ${key} at ${beganMs}: ${version}, floor ${floor}, replaced at ${replaced}`);
      }
    };
    const change = async (key: string) => {
      const version = (rows.get(key) ?? 0) + 1;
      replacedAt.set(`${key} ${version - 1}`, nowMs());
      rows.set(key, version);
      // The answer to COMMIT takes its time.
      await sleep(random(30));
      learn(key, version);
      await invalidations.deliver("rows", key, version, maxAgeMs);
      acknowledged.set(key, Math.max(version, acknowledged.get(key) ?? 0));
    };
    return { read, change };
  });

  const work = async () => {
    for (let step = 0; step < 120; step += 1) {
      await sleep(random(80));
      const key = keys[random(keys.length)] as string;
      const process = processes[random(processes.length)] as (typeof processes)[number];
      const dice = random(100);
      if (dice < 2) {
        redis.failOver();
      } else if (dice < 4) {
        redis.pause(random(500));
      } else {
        void (dice < 20 ? process.change(key) : process.read(key));
      }
    }
  };
  void work();
  await simulation.run();
  return { reads, stale };
}

test(`no read is stale in ${seeds} simulations, the first with seed ${testSeed}`, async () => {
  for (let seed = testSeed; seed < testSeed + seeds; seed += 1) {
    const { reads, stale } = await simulate(seed);
    expect({ seed, stale }).toEqual({ seed, stale: [] });
    expect(reads).toBeGreaterThan(50);
  }
});

test.each<[string, Fault]>([
  ["that deletes and fills without versions", "unversioned"],
  ["that trusts what a failover left", "unstamped"],
])("the simulation finds a cache %s", async (_, fault) => {
  let found = 0;
  for (let seed = testSeed; seed < testSeed + seeds && found === 0; seed += 1) {
    found += (await simulate(seed, fault)).stale.length;
  }
  expect(found).toBeGreaterThan(0);
});
