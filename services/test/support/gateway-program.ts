import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** The gateway program, in a process of its own. */
export interface GatewayProgram extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly httpUrl: string;
  readonly opsUrl: string;
}

const main = join(import.meta.dirname, "../../../gateway/main.ts");

/** Starts the gateway program with these arguments on free ports; resolves when it serves. */
export async function startGatewayProgram(flags: readonly string[]): Promise<GatewayProgram> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", main, ...flags, "--port=0", "--ops-port=0", "--no-watch"],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const exited = once(child, "exit");
  let out = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  while (!/operations on \S+\n/.test(out)) {
    if (child.exitCode !== null) {
      throw new Error(`the gateway ended with ${child.exitCode}:\n${errors}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const [httpUrl = "", opsUrl = ""] = out.match(/http:\S+/g) ?? [];
  return {
    child,
    httpUrl,
    opsUrl,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
