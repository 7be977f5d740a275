import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A server of the test API in a separate process. Supports one query at a time. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  /** The errors passed to `onError` so far; an unhandled rejection or exception would have ended the process. */
  errors(): Promise<readonly string[]>;
  /** The bytes produced by DownloadBooks, and those consumed by uploads. */
  transferred(): Promise<{ readonly made: number; readonly taken: number }>;
  /** True until the process exits. */
  isAlive(): boolean;
}

/** Starts the server. `implementation`: `library` is the tests' library, `any` accepts every request. */
export async function startServerProcess(implementation: "library" | "any"): Promise<ServerProcess> {
  const program = fileURLToPath(new URL("server-process-main.ts", import.meta.url));
  const child: ChildProcess = fork(program, [implementation], {
    stdio: ["ignore", 2, 2, "ipc"],
  });
  const ended = once(child, "exit");
  const ask = async <T>(question: string): Promise<T> => {
    const answered = once(child, "message");
    child.send(question);
    const [answer] = (await Promise.race([answered, ended])) as [T];
    if (!child.connected) throw new Error("the server has ended");
    return answer;
  };
  const url = await ask<string>("url");
  return {
    url,
    errors: () => ask("errors"),
    transferred: () => ask("transferred"),
    isAlive: () => child.exitCode === null && child.signalCode === null,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
