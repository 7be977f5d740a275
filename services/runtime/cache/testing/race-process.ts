import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../values/clock.ts";
import type { Cache, Load } from "../cache.ts";
import { createCaches } from "../caches.ts";
import { connectRedis, type RedisClient } from "../redis-client.ts";
import { type RaceSettings, type RaceStep, race } from "./race.ts";

/**
 * A process of `runRaces`: reads and changes rows of a shared database through caches in a shared Redis, and reports
 * every step. Time is the machine's monotonic clock, which all processes share.
 */
const settings = JSON.parse(process.argv[2] ?? "") as RaceSettings;
const redis = connectRedis({ urls: settings.urls, cluster: settings.cluster });
const caches = createCaches({ redis, prefix: "race", clock: systemClock });
const codec = { encode: String, decode: Number };
const { maxAgeMs } = race;
const strict = settings.unversioned
  ? createUnversioned(redis.client)
  : caches.create<number>({ name: "strict", maxAgeMs, localMs: 0, codec });
const local = caches.create<number>({ name: "local", maxAgeMs, codec });

const db = new DatabaseSync(settings.database);
db.exec("pragma busy_timeout = 10000; pragma synchronous = off");
const select = db.prepare("select version from records where id = ?");
const increase = db.prepare("update records set version = version + 1 where id = ? returning version");
const versionOf = (row: unknown) => (row as { version: number }).version;

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
const pause = () => sleep(Math.random() * 4);
const load =
  (key: string): Load<number> =>
  async () => {
    await pause();
    const version = versionOf(select.get(key));
    await pause();
    return { version, value: version };
  };

async function read(key: string, kind: "strict" | "local"): Promise<void> {
  const atMs = nowMs();
  const cache = kind === "strict" ? strict : local;
  try {
    const version = (await cache.get(key, load(key))) ?? 0;
    report({ kind, key, version, atMs });
  } catch (error) {
    report({ kind: "error", key, version: 0, atMs, error: String(error) });
  }
}

async function change(key: string): Promise<void> {
  const version = versionOf(increase.get(key));
  report({ kind: "committed", key, version, atMs: nowMs() });
  await Promise.all([strict.invalidate(key, version), local.invalidate(key, version)]);
  report({ kind: "acknowledged", key, version, atMs: nowMs() });
}

let steps: RaceStep[] = [];
function report(step: RaceStep): void {
  steps.push(step);
  if (steps.length >= 1_000) {
    flush();
  }
}
function flush(): void {
  process.send?.(steps);
  steps = [];
}

let stopping = false;
process.on("message", () => {
  stopping = true;
});
let left = settings.operations;

async function worker(): Promise<void> {
  while (!stopping && left > 0) {
    left -= 1;
    const key = `row-${Math.floor(Math.random() * race.rows)}`;
    const dice = Math.random();
    if (dice < 0.06) {
      await change(key);
    } else {
      await read(key, dice < 0.6 ? "strict" : "local");
    }
    await sleep(Math.random() * settings.pauseMs);
  }
}

while (caches.shared?.available !== true) {
  await sleep(20);
}
await Promise.all(Array.from({ length: 16 }, worker));
flush();
report({ kind: "ended", key: "", version: caches.shared.available ? 1 : 0, atMs: nowMs() });
flush();
process.disconnect();
caches[Symbol.dispose]();
redis[Symbol.dispose]();
db.close();

/** The planted fault: a change deletes the value, and a miss fills it with what it read. */
function createUnversioned(client: RedisClient): Cache<number> {
  return {
    async get(key, load) {
      const known = await client.get(`unversioned:${key}`);
      if (known !== null) {
        return Number(known);
      }
      const found = await load();
      await client.set(`unversioned:${key}`, String(found?.value), "PX", maxAgeMs);
      return found?.value;
    },
    async invalidate(key) {
      await client.del(`unversioned:${key}`);
    },
  };
}
