import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A server of the test API in a process of its own. One question at a time. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  /** What `onError` was told so far; an unhandled rejection or exception would have ended the process. */
  errors(): Promise<readonly string[]>;
  /** The bytes that DownloadBooks has made, and those that uploads have brought. */
  transferred(): Promise<{ readonly made: number; readonly taken: number }>;
  /** True until the process ends by itself. */
  isAlive(): boolean;
}

/** Starts it. `implementation`: `library` does what the tests' library does, `any` takes and answers anything. */
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
