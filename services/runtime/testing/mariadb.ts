import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, openSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { createConnection } from "mysql2/promise";
import { endWithParent } from "./end-with-parent.ts";

/** A private MariaDB server in a temporary folder: no network but the loopback, no password. */
export interface MariadbServer extends AsyncDisposable {
  /** `mysql://root@127.0.0.1:port/`, to which a schema name is appended. */
  readonly url: string;
  readonly pid: number;
  /** Kills the server like a crash. Its folder is kept. */
  kill(): Promise<void>;
  /** Restarts the server on the same folder and port. */
  restart(): Promise<void>;
}

/** Error message if {@link startMariadb} found no server. */
export const INSTALL_HINT =
  "MariaDB is not installed, so suites that need it are skipped: install it (Debian: apt-get install mariadb-server) or set DOCKET_TEST_MYSQL_URL";

/** Administrators' folders are often missing in PATH. */
const EXTRA_FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/opt/homebrew/bin", "/usr/local/bin"];
const START_TIMEOUT_MS = 30_000;

const SETTINGS = [
  "--no-defaults",
  "--bind-address=127.0.0.1",
  "--skip-name-resolve",
  "--skip-log-bin",
  "--performance-schema=OFF",
  "--max-connections=600",
  "--innodb-buffer-pool-size=64M",
];

/** A commit survives a crash of the server, not of the machine. */
const QUICK = [
  "--innodb-flush-log-at-trx-commit=2",
  "--innodb-flush-method=nosync",
  "--innodb-doublewrite=OFF",
  "--sync-frm=OFF",
];

export interface MariadbOptions {
  /** Flushes every commit to disk, like the server's default: slower, for benchmarks. */
  readonly durable?: boolean;
  /** Further options of the server, which take precedence. */
  readonly options?: readonly string[];
}

/**
 * Starts a server; returns undefined if MariaDB is not installed. The server and its folder are removed within a second
 * after this process ends, in whatever way.
 */
export async function startMariadb({
  durable = false,
  options: further = [],
}: MariadbOptions = {}): Promise<MariadbServer | undefined> {
  const program = findProgram("mariadbd");
  const installer = findProgram("mariadb-install-db");
  if (!program || !installer) {
    return undefined;
  }
  const folder = await mkdtemp(join(tmpdir(), "docket-mariadb-"));
  const asRoot = process.getuid?.() === 0 ? ["--user=root"] : [];
  const data = join(folder, "data");
  await promisify(execFile)(installer, [
    "--no-defaults",
    `--datadir=${data}`,
    // Concurrent installations conflict in a shared folder for temporary files.
    `--tmpdir=${folder}`,
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    "--skip-name-resolve",
    ...asRoot,
  ]);
  const port = await freePort();
  const run = async () => {
    const log = openSync(join(folder, "server.log"), "a");
    const options = [`--datadir=${data}`, `--tmpdir=${folder}`, `--socket=${join(folder, "s")}`, `--port=${port}`];
    const child = spawn(program, [...SETTINGS, ...(durable ? [] : QUICK), ...options, ...asRoot, ...further], {
      stdio: ["ignore", log, log],
      detached: true,
    });
    child.unref();
    endWithParent(child, folder);
    await untilReady(child, port, folder);
    return child;
  };

  let child = await run();
  const kill = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.ref();
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  };
  return {
    url: `mysql://root@127.0.0.1:${port}/`,
    get pid() {
      return child.pid ?? 0;
    },
    kill,
    async restart() {
      await kill();
      child = await run();
    },
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The full path of a program, or undefined where there is none. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...EXTRA_FOLDERS];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Returns a loopback port that was unused a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") {
    throw new Error("the server has no port");
  }
  return address.port;
}

async function untilReady(server: ChildProcess, port: number, folder: string): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const connection = await createConnection({ host: "127.0.0.1", port, user: "root" });
      await connection.end();
      return;
    } catch (error) {
      if (server.exitCode !== null || performance.now() > deadlineMs) {
        const log = await readFile(join(folder, "server.log"), "utf8");
        throw new Error(`mariadbd did not start:\n${log.slice(-2000)}`, { cause: error });
      }
    }
    await sleep(50);
  }
}
