import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeMachine, keepResult, option, printRatios, printRounds } from "../support/measure.ts";
import { startDocket } from "./docket.ts";

/**
 * Starts the standalone program on SQLite and measures the time until it is ready, on an empty folder and on existing
 * data, and as a bundle on an empty folder, compared with an empty Node; then memory, CPU and statements while idle.
 * `--rounds`, `--idle` seconds.
 */
const rounds = option("rounds", 7);
const idleSeconds = option("idle", 5);
const root = join(import.meta.dirname, "../..");

interface Started {
  readonly readyMs: number;
  readonly pid: number;
  stop(): Promise<void>;
}

async function start(script: readonly string[], folder: string, sign: string): Promise<Started> {
  const before = performance.now();
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...script], {
    cwd: root,
    env: {
      PATH: process.env["PATH"],
      DOCKET_HTTP_PORT: "0",
      DOCKET_GRPC_PORT: "0",
      DOCKET_OPS_PORT: "0",
      DOCKET_DATA_DIR: folder,
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  for await (const piece of child.stderr.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    said += piece;
    if (said.includes(sign)) {
      break;
    }
  }
  if (!said.includes(sign)) {
    throw new Error(`it ended before it was ready: ${said}`);
  }
  const readyMs = performance.now() - before;
  child.stderr.resume();
  return {
    readyMs,
    pid: child.pid ?? 0,
    async stop() {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

/** Resident memory in MiB, from Linux' /proc. */
async function rssMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

const machine = await describeMachine(["@grpc/grpc-js", "kysely"]);
const readyMs: Record<string, number[]> = { node: [], empty: [], "with data": [], bundled: [] };
const idleRssMib: Record<string, number[]> = { node: [], docket: [], bundled: [] };
const main = ["services/main.ts"];
const bundle = [".cache/bundle/services/main.mjs"];
execFileSync(process.execPath, ["tools/bundle.ts"], { cwd: root, stdio: "ignore" });
const nothing = ["--eval", "process.stderr.write('ready'); setInterval(() => {}, 1000)"];
for (let round = 0; round < rounds; round++) {
  const folder = await mkdtemp(join(tmpdir(), "docket-bench-"));
  const bare = await start(nothing, folder, "ready");
  readyMs["node"]?.push(bare.readyMs);
  const empty = await start(main, folder, "Docket is ready.");
  readyMs["empty"]?.push(empty.readyMs);
  await empty.stop();
  const again = await start(main, folder, "Docket is ready.");
  readyMs["with data"]?.push(again.readyMs);
  const bundleFolder = await mkdtemp(join(tmpdir(), "docket-bench-"));
  const bundled = await start(bundle, bundleFolder, "Docket is ready.");
  readyMs["bundled"]?.push(bundled.readyMs);
  await sleep(2000);
  idleRssMib["bundled"]?.push(await rssMib(bundled.pid));
  idleRssMib["node"]?.push(await rssMib(bare.pid));
  idleRssMib["docket"]?.push(await rssMib(again.pid));
  await again.stop();
  await bare.stop();
  await bundled.stop();
  await rm(folder, { recursive: true, force: true });
  await rm(bundleFolder, { recursive: true, force: true });
}

const idle: Record<string, number[]> = { "statements/s": [], "commits/s": [], "CPU ms/s": [] };
await using docket = await startDocket("sqlite");
await sleep(3000);
for (let round = 0; round < 5; round++) {
  const before = await docket.usage();
  await sleep((idleSeconds * 1000) / 5);
  const after = await docket.usage();
  idle["statements/s"]?.push(((after.statements - before.statements) * 5) / idleSeconds);
  idle["commits/s"]?.push(((after.commits - before.commits) * 5) / idleSeconds);
  idle["CPU ms/s"]?.push(((after.cpuMicros - before.cpuMicros) / 1000) * (5 / idleSeconds));
}
printRounds(readyMs, "ms from start to ready");
printRounds(idleRssMib, "MiB resident, idle");
printRounds(idle, "while idle");
printRatios(readyMs, [
  ["empty", "node"],
  ["with data", "node"],
  ["bundled", "empty"],
]);
printRatios(idleRssMib, [
  ["docket", "node"],
  ["bundled", "docket"],
]);
await keepResult("start", { machine, readyMs, idleRssMib, idle });
