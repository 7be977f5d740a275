import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithParent } from "../../services/runtime/testing/end-with-parent.ts";

const root = join(import.meta.dirname, "../..");

/** The program. */
export const main = join(root, "services/main.ts");

/** A process of Docket. Disposing it drains it; after a quarter of a minute it is killed. */
export interface ServiceProcess extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
}

export interface ServiceProcessOptions {
  /** For example `order-2`. */
  readonly name: string;
  /** Gets the data of the process in a folder of its name, and its log and messages in files beside it. */
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Called if the process ends before it is disposed. */
  readonly onEnd: (reason: string) => void;
}

const drainMs = 15_000;

/** Starts a process of Docket and resolves when it is ready. It ends within a second after this one, in whatever way. */
export async function startServiceProcess(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const { name, folder, environment, onEnd } = options;
  const data = join(folder, name);
  await mkdir(data, { recursive: true });
  // In a group of its own: a terminal sends Ctrl-C to all processes of a group, and services are to end before servers.
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main], {
    cwd: root,
    env: { ...environment, DOCKET_DATA_DIR: data },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  endWithParent(child, data);
  child.stdout.pipe(createWriteStream(join(folder, `${name}.log`)));
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const exited = once(child, "exit");
  while (!said.includes("Docket is ready.")) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${name} did not start:\n${said}`);
    }
    await sleep(25);
  }
  let ending = false;
  exited.then(([code, signal]) => ending || onEnd(`${name} ended with ${signal ?? code}`));
  return {
    name,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      ending = true;
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), drainMs);
      if (child.exitCode === null && child.signalCode === null) {
        await exited;
      }
      clearTimeout(late);
    },
  };
}
