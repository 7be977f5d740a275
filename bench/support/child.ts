import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A benchmark server in a process of its own, which responds to `ask`ed questions over Node's channel. */
export interface Child<Ready> extends AsyncDisposable {
  readonly process: ChildProcess;
  /** Its ready message. */
  readonly ready: Ready;
  /** Asks one question after another; the response type is the caller's assertion. */
  ask<Answer>(question: string): Promise<Answer>;
}

/** Starts a program, with `--cpu-prof` if `BENCH_CPU_PROF` names a folder for the profile. */
export async function startChild<Ready>(
  file: URL,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Child<Ready>> {
  const profiles = process.env["BENCH_CPU_PROF"];
  const child = fork(file, args, {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: [
      "--disable-warning=ExperimentalWarning",
      ...(profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`]),
    ],
  });
  const exited = once(child, "exit");
  const answer = async <Answer>() => {
    const [message] = await Promise.race([
      once(child, "message"),
      exited.then(([code]) => Promise.reject(new Error(`${file.pathname} ended with ${code}`))),
    ]);
    return message as Answer;
  };
  const ready = await answer<Ready>();
  return {
    process: child,
    ready,
    ask<Answer>(question: string) {
      child.send(question);
      return answer<Answer>();
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) {
        child.disconnect();
      }
      await exited;
    },
  };
}

/** The child's side of {@link startChild}: reports that it is ready, responds, and exits when the channel closes. */
export function serveParent(ready: object, answers: Readonly<Record<string, () => unknown>>, end: () => unknown): void {
  process.on("message", (question: string) => {
    process.send?.(answers[question]?.() ?? {});
  });
  process.on("disconnect", async () => {
    await end();
    process.exit();
  });
  process.send?.(ready);
}

/** CPU time of this process since its start, user and system. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
