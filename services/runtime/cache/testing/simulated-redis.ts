import type { SharedLevel } from "../shared-level.ts";
import { emptyEntry, invalidate, put, read, release, type SharedEntry } from "./shared-entry.ts";

/** Time that passes only in the simulation, and everything that waits for it. */
export interface Simulation {
  /** A whole number from zero up to `below`. */
  readonly random: (below: number) => number;
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  /** Runs until nothing waits anymore. */
  run(): Promise<void>;
}

export function createSimulation(random: (below: number) => number): Simulation {
  let now = 0;
  const waiting: { atMs: number; wake: () => void }[] = [];
  return {
    random,
    nowMs: () => now,
    sleep: (ms) => new Promise((wake) => waiting.push({ atMs: now + ms, wake })),
    async run() {
      for (;;) {
        // All promises that can settle do so first.
        await new Promise((resolve) => setImmediate(resolve));
        if (waiting.length === 0) {
          return;
        }
        const next = waiting.reduce((a, b) => (b.atMs < a.atMs ? b : a));
        waiting.splice(waiting.indexOf(next), 1);
        now = Math.max(now, next.atMs);
        next.wake();
      }
    },
  };
}

/** A process as the simulated server knows it. */
export interface Subscriber {
  invalidate(key: string, version: number): void;
  flush(): void;
}

/** A server with delays, lost replies, lost messages, pauses and failovers. */
export interface SimulatedRedis {
  /** The level as one process sees it. */
  levelOf(process: Subscriber): SharedLevel;
  /** A replica that lacks the last changes replaces the master; all subscriptions are interrupted. */
  failOver(): void;
  /** Takes no calls for this long. */
  pause(ms: number): void;
}

const leaseMs = 400;

/**
 * A planted fault. `unversioned`: an invalidation deletes the value, and any value is accepted, without versions and
 * leases. `unstamped`: values and leases count after a failover.
 */
export type Fault = "unversioned" | "unstamped";

export function createSimulatedRedis(simulation: Simulation, fault: Fault | undefined): SimulatedRedis {
  const { random, nowMs, sleep } = simulation;
  let entries = new Map<string, SharedEntry>();
  let replica = new Map<string, SharedEntry>();
  let [run, tokens, pausedUntilMs] = [1, 0, 0];
  const processes = new Set<Subscriber>();
  const delay = () => sleep(random(40));
  const server = () => ({ run: String(run), nowMs: nowMs() });

  const write = (key: string, entry: SharedEntry) => {
    entries.set(key, entry);
    // Replication lags behind.
    void sleep(random(60)).then(() => replica.set(key, entry));
  };
  /** Runs on the server unless the call is lost; undefined if the call or its reply is. */
  const call = async <T>(change: (entry: SharedEntry) => T, key: string): Promise<T | undefined> => {
    await delay();
    if (nowMs() < pausedUntilMs || random(50) === 0) {
      return undefined;
    }
    const result = change(entries.get(key) ?? emptyEntry);
    await delay();
    return random(50) === 0 ? undefined : result;
  };
  const tell = (key: string, version: number) => {
    for (const process of processes) {
      // A message that is lost is noticed some time later, by the gap.
      const isLost = random(20) === 0;
      void (isLost ? sleep(600).then(() => process.flush()) : delay().then(() => process.invalidate(key, version)));
    }
  };

  return {
    levelOf(process) {
      processes.add(process);
      return {
        interrupted: false,
        async read(_cache, key) {
          const token = String(++tokens);
          const found = await call((entry) => {
            const next = read(entry, server(), { token, leaseMs });
            write(key, next.entry);
            return next.result;
          }, key);
          return found ?? { kind: "away" };
        },
        async put(_cache, key, value) {
          const stored = await call((entry) => {
            if (fault === "unversioned") {
              const expiresAtMs = nowMs() + value.maxAgeMs;
              write(key, { floor: 0, value: { ...value, run: String(run), expiresAtMs } });
              return "stored" as const;
            }
            const next = put(entry, server(), value);
            write(key, next.entry);
            return next.result;
          }, key);
          return stored ?? "away";
        },
        async release(_cache, key, lease) {
          await call((entry) => write(key, release(entry, lease)), key);
        },
        async invalidate(_cache, key, version) {
          const done = await call((entry) => {
            const next = fault === "unversioned" ? { entry: emptyEntry, told: true } : invalidate(entry, version);
            write(key, next.entry);
            if (next.told) {
              tell(key, version);
            }
            return true;
          }, key);
          return done ?? false;
        },
      };
    },
    failOver() {
      entries = new Map(replica);
      replica = new Map(entries);
      run += fault === "unstamped" ? 0 : 1;
      for (const process of processes) {
        void sleep(600).then(() => process.flush());
      }
    },
    pause(ms) {
      pausedUntilMs = nowMs() + ms;
    },
  };
}
