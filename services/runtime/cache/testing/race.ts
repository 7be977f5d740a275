import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** What all processes of a race share. */
export const race = { rows: 40, maxAgeMs: 20_000, processes: 3 };

export interface RaceSettings {
  readonly urls: readonly string[];
  readonly cluster: boolean;
  /** The SQLite file with the rows. */
  readonly database: string;
  /** Most operations of the process. */
  readonly operations: number;
  /** Longest pause between two operations of a worker. */
  readonly pauseMs: number;
  /** Plants a fault: values without versions, deleted and filled. */
  readonly unversioned: boolean;
}

/**
 * A step of a process. `strict` and `local` are reads, with the time at which they began; the former ask the shared
 * level each time. `committed` and `acknowledged` are a change and the end of its invalidation.
 */
export interface RaceStep {
  readonly kind: "strict" | "local" | "committed" | "acknowledged" | "error" | "ended";
  readonly key: string;
  readonly version: number;
  readonly atMs: number;
  readonly error?: string;
}

export interface RaceOutcome {
  readonly reads: number;
  readonly changes: number;
  readonly errors: readonly string[];
  /** Reads of a version older than allowed. */
  readonly stale: readonly string[];
}

/**
 * Lets three processes race until their operations are done, or until `during` resolves. Judges every read:
 * - a strict one returns at least every version that any process had acknowledged when it began;
 * - a local one at least those that its own process had acknowledged;
 * - neither returns a version that was replaced more than the greatest age before.
 */
export async function runRaces(
  options: Omit<RaceSettings, "database" | "operations" | "pauseMs" | "unversioned"> &
    Partial<Pick<RaceSettings, "operations" | "pauseMs" | "unversioned">>,
  during?: () => Promise<void>,
): Promise<RaceOutcome> {
  const folder = await mkdtemp(join(tmpdir(), "docket-race-"));
  const database = join(folder, "rows.db");
  createRows(database);
  const settings = { operations: 1_000_000, pauseMs: 4, unversioned: false, ...options, database };
  const logs: RaceStep[][] = [];
  const children = Array.from({ length: race.processes }, () => {
    const steps: RaceStep[] = [];
    logs.push(steps);
    return startProcess(settings, steps);
  });
  const ends = children.map((child) => once(child, "exit"));
  try {
    if (during !== undefined) {
      await during();
      for (const child of children) {
        child.send("stop");
      }
    }
    await Promise.all(ends);
  } finally {
    for (const child of children) {
      child.kill("SIGKILL");
    }
    await Promise.all(ends);
    await rm(folder, { recursive: true, force: true });
  }
  return judge(logs);
}

function createRows(path: string): void {
  const db = new DatabaseSync(path);
  db.exec("pragma journal_mode = wal; create table records (id text primary key, version integer not null)");
  for (let row = 0; row < race.rows; row += 1) {
    db.prepare("insert into records values (?, 1)").run(`row-${row}`);
  }
  db.close();
}

function startProcess(settings: RaceSettings, steps: RaceStep[]): ChildProcess {
  const child = fork(new URL("./race-process.ts", import.meta.url), [JSON.stringify(settings)], {
    execArgv: ["--no-warnings"],
  });
  child.on("message", (batch: RaceStep[]) => steps.push(...batch));
  return child;
}

function judge(logs: readonly (readonly RaceStep[])[]): RaceOutcome {
  const all = logs.flat();
  const committedAt = new Map<string, number>();
  const errors = [...new Set(all.flatMap(({ error }) => error ?? []))];
  for (const { kind, key, version, atMs } of all) {
    if (kind === "committed") {
      committedAt.set(`${key} ${version}`, atMs);
    }
  }
  if (logs.some((log) => log.at(-1)?.kind !== "ended")) {
    errors.push("a process ended early");
  }
  const everywhere = floors(all);
  const stale: string[] = [];
  let reads = 0;
  for (const [index, log] of logs.entries()) {
    const here = floors(log);
    for (const { kind, key, version, atMs } of log) {
      if (kind !== "strict" && kind !== "local") {
        continue;
      }
      reads += 1;
      const floor = (kind === "strict" ? everywhere : here)(key, atMs);
      const replacedAtMs = committedAt.get(`${key} ${version + 1}`) ?? Number.POSITIVE_INFINITY;
      if (version < floor || atMs - replacedAtMs > race.maxAgeMs) {
        const since = Math.round(atMs - replacedAtMs);
        stale.push(`process ${index}, ${kind}: ${key} was ${version}, not ${floor}; replaced ${since} ms before`);
      }
    }
  }
  return { reads, changes: committedAt.size, errors, stale };
}

/** Returns the highest version of a key that had been acknowledged at a time. */
function floors(steps: readonly RaceStep[]): (key: string, atMs: number) => number {
  const byKey = new Map<string, { atMs: number; version: number }[]>();
  const acknowledged = steps.filter(({ kind }) => kind === "acknowledged").sort((a, b) => a.atMs - b.atMs);
  for (const { key, atMs, version } of acknowledged) {
    const list = byKey.get(key) ?? [];
    byKey.set(key, list);
    list.push({ atMs, version: Math.max(version, list.at(-1)?.version ?? 0) });
  }
  return (key, atMs) => {
    const list = byKey.get(key) ?? [];
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      (list[middle]?.atMs ?? 0) < atMs ? (low = middle + 1) : (high = middle);
    }
    return list[low - 1]?.version ?? 0;
  };
}
