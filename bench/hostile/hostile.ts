import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeMachine, keepResult } from "../support/measure.ts";
import { attacks, type Target } from "./hostile-attacks.ts";

/**
 * What hostile callers cost the standalone program, each attack on a fresh one: how it was answered, how long `/live` took
 * at the most meanwhile, how much its resident memory grew at its peak, and whether it lives on.
 *
 *     make bench-hostile FLAGS="--checkout ../docket-before --label before"
 *
 * `--only` takes the attacks whose names contain a text, and keeps no result. `--checkout` is another checkout of Docket with its packages installed; `--label` names the file in results/.
 */
const textOption = (name: string, fallback: string): string => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback);
};
const checkout = resolve(textOption("checkout", join(import.meta.dirname, "../..")));
const label = textOption("label", "after");
const only = textOption("only", "");

interface Cost {
  readonly attack: string;
  readonly outcome: string;
  readonly liveMs: number;
  readonly grownMiB: number;
  readonly alive: boolean;
}

interface Server extends Target, AsyncDisposable {
  readonly opsUrl: string;
  isAlive(): boolean;
}

async function startServer(): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), "docket-hostile-"));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "services/main.ts"], {
    cwd: checkout,
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: process.env["PATH"],
      DOCKET_DATA_DIR: folder,
      DOCKET_HTTP_PORT: "0",
      DOCKET_GRPC_PORT: "0",
      DOCKET_OPS_PORT: "0",
      DOCKET_LOG_LEVEL: "fatal",
    },
  });
  const ended = once(child, "exit");
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  while (!said.includes("Docket is ready.")) {
    if (child.exitCode !== null) throw new Error(`the server ended:\n${said}`);
    await sleep(25);
  }
  const shown = (address: RegExp) => address.exec(said)?.[1] ?? "";
  return {
    httpUrl: shown(/REST, Connect, gRPC-Web\s+(\S+)/),
    grpcAddress: shown(/gRPC {2,}(\S+)/),
    opsUrl: shown(/probes and metrics\s+(\S+)\/ready/),
    adminKey: (await readFile(join(folder, "admin-key"), "utf8")).trim(),
    pid: child.pid ?? 0,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Memory in MiB as reported by Linux: `VmRSS` now, `VmHWM` at most. */
async function memory(pid: number, field: "VmRSS" | "VmHWM"): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(text)?.[1] ?? Number.NaN) / 1024;
}

async function measure(name: string): Promise<Cost> {
  const attack = attacks[name];
  if (attack === undefined) throw new Error(`there is no attack "${name}"`);
  await using server = await startServer();
  const before = await memory(server.pid, "VmRSS");
  let liveMs = 0;
  let peak = before;
  const stopped = new AbortController();
  const repeat = async (look: () => Promise<void>) => {
    while (!stopped.signal.aborted && server.isAlive()) {
      await look();
      await sleep(10);
    }
  };
  const watching = [
    repeat(async () => {
      const began = performance.now();
      await fetch(`${server.opsUrl}/live`, { signal: AbortSignal.timeout(120_000) }).catch(() => undefined);
      liveMs = Math.max(liveMs, performance.now() - began);
    }),
    repeat(async () => {
      // An ended process has no memory status.
      peak = Math.max(peak, (await memory(server.pid, "VmHWM")) || peak);
    }),
  ];
  const outcome = await attack(server);
  await sleep(1000);
  const alive = server.isAlive();
  stopped.abort();
  await Promise.all(watching);
  return { attack: name, outcome, liveMs, grownMiB: peak - before, alive };
}

const machine = await describeMachine(["@grpc/grpc-js", "@connectrpc/connect-node"]);
const costs: Cost[] = [];
for (const name of Object.keys(attacks).filter((each) => each.includes(only))) {
  const cost = await measure(name);
  costs.push(cost);
  const { outcome, liveMs, grownMiB, alive } = cost;
  console.log(
    `| ${name} | ${outcome} | ${liveMs.toFixed(0)} ms | ${grownMiB.toFixed(0)} MiB | ${alive ? "lives" : "ended"} |`,
  );
}
if (only === "") await keepResult(`hostile-${label}`, { machine, costs });
