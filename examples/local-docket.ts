import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A running Docket and a key with the scope `admin`. */
export interface LocalDocket extends AsyncDisposable {
  readonly url: string;
  readonly adminKey: string;
}

const root = join(import.meta.dirname, "..");

/**
 * Connects to the Docket at `DOCKET_URL` (default `http://127.0.0.1:8080`) with `DOCKET_ADMIN_KEY` or the key in the
 * data folder. If it does not respond and `DOCKET_URL` is not set, starts one on the same data for the duration of the
 * example.
 */
export async function useDocket(env: NodeJS.ProcessEnv = process.env): Promise<LocalDocket> {
  const url = env["DOCKET_URL"] ?? `http://127.0.0.1:${env["DOCKET_HTTP_PORT"] ?? "8080"}`;
  if (await answers(url)) {
    return { url, adminKey: await adminKey(env), [Symbol.asyncDispose]: async () => {} };
  }
  if (env["DOCKET_URL"] !== undefined) {
    throw new Error(`no Docket answers at ${url}`);
  }
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", join(root, "services/main.ts")], {
    cwd: root,
    env: { ...env, DOCKET_LOG_LEVEL: env["DOCKET_LOG_LEVEL"] ?? "warn" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  try {
    while (!(await answers(url))) {
      if (child.exitCode !== null) {
        throw new Error("Docket did not start; what it said is above");
      }
      await sleep(100);
    }
    return { url, adminKey: await adminKey(env), [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    // Without a key, because every Docket rejects such a request in a recognizable way.
    const response = await fetch(`${url}/v1/orders`, { signal: AbortSignal.timeout(2000) });
    return response.status === 401;
  } catch {
    return false;
  }
}

async function adminKey(env: NodeJS.ProcessEnv): Promise<string> {
  const path = resolve(root, env["DOCKET_DATA_DIR"] ?? ".docket", "admin-key");
  return env["DOCKET_ADMIN_KEY"] ?? (await readFile(path, "utf8")).trim();
}
