import { execFile } from "node:child_process";
import { join } from "node:path";
import { childEnvironment } from "./child-environment.ts";

const main = join(import.meta.dirname, "../../../web-client/sdk/cli/main.ts");

/** Runs the `docket` command in a process of its own; resolves when it has ended, with any exit code. */
export function runCli(
  args: readonly string[],
  { url, key }: { url: string; key: string },
): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...childEnvironment, DOCKET_URL: url, DOCKET_API_KEY: key };
  const node = ["--disable-warning=ExperimentalWarning", main, ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, node, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}
