import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createDocket, type Docket } from "../../../web-client/sdk/docket.ts";
import { testEnvironment } from "./test-environment.ts";

/** The program, in a process of its own. */
export interface Program extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Standard error so far. */
  readonly said: () => string;
  /** Log output so far. */
  readonly logged: () => string;
  readonly httpUrl: string;
  readonly grpcAddress: string;
  readonly opsUrl: string;
  /** The admin key. */
  readonly key: string;
  /** A client with the admin key. */
  readonly docket: Docket;
  /** Kills it as a power failure would, and waits for its exit. */
  kill(): Promise<void>;
  /** Stops it with a signal; returns the exit code. */
  stop(): Promise<number | null>;
}

const root = join(import.meta.dirname, "../../..");
const main = join(root, "services/main.ts");

/**
 * Runs the program with this environment until it exits; resolves with exit code and output. For starts that must fail,
 * and for commands other than serve.
 */
export async function runToEnd(
  environment: Record<string, string>,
  args: readonly string[] = [],
): Promise<{ code: number | null; said: string; printed: string }> {
  const { child, said, logged } = launch(environment, args);
  const [code] = await once(child, "close");
  return { code, said: said(), printed: logged() };
}

/** Starts the program; resolves when it reports ready. */
export async function startProgram(
  environment: Record<string, string>,
  args: readonly string[] = [],
): Promise<Program> {
  const { child, said, logged } = launch(environment, args);
  const exited = once(child, "exit");
  while (!said().includes("Docket is ready.")) {
    if (child.exitCode !== null) {
      throw new Error(`the program ended with ${child.exitCode}:\n${said()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const shown = (address: RegExp) => address.exec(said())?.[1] ?? "";
  const httpUrl = shown(/REST, Connect, gRPC-Web\s+(\S+)/);
  const keyFile = join(environment["DOCKET_DATA_DIR"] ?? "", "admin-key");
  const key = environment["DOCKET_ADMIN_KEY"] ?? (await readFile(keyFile, "utf8")).trim();
  const end = async (signal: "SIGKILL" | "SIGTERM") => {
    child.kill(signal);
    const [code] = await exited;
    return code as number | null;
  };
  return {
    child,
    said,
    logged,
    httpUrl,
    grpcAddress: shown(/gRPC {2,}(\S+)/),
    opsUrl: shown(/probes and metrics\s+(\S+)\/ready/),
    key,
    docket: createDocket({ baseUrl: httpUrl, apiKey: key, retry: { maxAttempts: 1 } }),
    kill: async () => void (await end("SIGKILL")),
    stop: () => end("SIGTERM"),
    [Symbol.asyncDispose]: async () => void (child.exitCode ?? child.signalCode ?? (await end("SIGKILL"))),
  };
}

function launch(environment: Record<string, string>, args: readonly string[]) {
  let text = "";
  let log = "";
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
    cwd: root,
    env: { PATH: process.env["PATH"], ...testEnvironment, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    log += piece;
  });
  // A test that timed out disposes nothing.
  const killOrphan = () => child.kill("SIGKILL");
  process.once("exit", killOrphan);
  child.once("exit", () => process.off("exit", killOrphan));
  return { child, said: () => text, logged: () => log };
}
