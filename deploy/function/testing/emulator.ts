import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { goTool } from "../../../tools/go-tools.ts";
import type { Invoke } from "./platform-front.ts";

/** AWS's own emulator of Lambda's Runtime API, with a function in it. */
export interface Emulator extends AsyncDisposable {
  /** Calls the function. Calls wait for each other, because the emulator takes one at a time. */
  readonly invoke: Invoke;
  /** What the function and the emulator have written so far. */
  readonly logged: () => string;
  readonly child: ChildProcess;
}

/** Whether the emulator is built: `node tools/go-tools.ts aws-lambda-rie`. */
export const hasEmulator = existsSync(goTool("aws-lambda-rie"));

/** Starts the emulator with this command as the function's process, which starts with the first call. */
export async function startEmulator(options: {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Time of a call, in seconds. Default 30. */
  readonly timeoutSeconds?: number;
}): Promise<Emulator> {
  const { command, environment, timeoutSeconds = 30 } = options;
  const [port, runtimePort] = [await freePort(), await freePort()];
  let text = "";
  const child = spawn(
    goTool("aws-lambda-rie"),
    [
      ...["--runtime-interface-emulator-address", `127.0.0.1:${port}`],
      ...["--runtime-api-address", `127.0.0.1:${runtimePort}`, "--log-level", "error"],
      ...command,
    ],
    {
      env: { PATH: process.env["PATH"], AWS_LAMBDA_FUNCTION_TIMEOUT: `${timeoutSeconds}`, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      // The function's process ends with its group.
      detached: true,
    },
  );
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
  }
  const exited = once(child, "exit");
  const kill = () => {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // It has ended.
    }
  };
  process.once("exit", kill);
  const call = async (event: object) => {
    const response = await fetch(`http://127.0.0.1:${port}/2015-03-31/functions/function/invocations`, {
      method: "POST",
      body: JSON.stringify(event),
      signal: AbortSignal.timeout((timeoutSeconds + 15) * 1000),
    });
    const body = await response.text();
    const result = body === "" ? null : (JSON.parse(body) as unknown);
    if (typeof result === "object" && result !== null && "errorType" in result) {
      throw Object.assign(new Error(`the function failed: ${body}`), result);
    }
    return result;
  };
  await untilOpen(port);
  let last: Promise<unknown> = Promise.resolve();
  return {
    child,
    logged: () => text,
    invoke(event) {
      const result = last.then(() => call(event));
      last = result.catch(() => {});
      return result;
    },
    async [Symbol.asyncDispose]() {
      kill();
      process.off("exit", kill);
      await exited;
    },
  };
}

async function untilOpen(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    // Any answer means that it listens; it has no other path.
    if (
      await fetch(`http://127.0.0.1:${port}/`).then(
        () => true,
        () => false,
      )
    ) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("the emulator does not listen");
}

/** An unused port below the ephemeral range. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await Promise.race([
      once(server, "listening").then(() => true),
      once(server, "error").then(() => false),
    ]);
    if (isFree) {
      server.close();
      await once(server, "close");
      return port;
    }
  }
}
