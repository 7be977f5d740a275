import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The folder that everything is in. */
export const repository = fileURLToPath(new URL("../../..", import.meta.url));

/** Finds Go for a shell's commands after it: its installer's folder is rarely on the path. */
export const withGo = 'PATH="$PATH:/usr/local/go/bin"';

/** Why programs in Go cannot be built here; undefined where they can. */
export function whyNoGo(): string | undefined {
  try {
    const version = /go1\.(\d+)/.exec(
      execFileSync("sh", ["-c", `${withGo} go version`], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    );
    // Since 1.21 Go fetches the version that a module asks for.
    return Number(version?.[1]) >= 21 ? undefined : `${version?.[0]} is too old`;
  } catch {
    return "there is no Go on this machine";
  }
}

/** Ends a program, and resolves once it has ended. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
