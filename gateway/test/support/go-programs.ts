import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The root folder of the repository. */
export const repository = fileURLToPath(new URL("../../..", import.meta.url));

/** Prefix of a shell command that finds Go, because its installer's folder is rarely in PATH. */
export const withGo = 'PATH="$PATH:/usr/local/go/bin"';

/** Why Go programs cannot be built here; undefined if they can. */
export function whyNoGo(): string | undefined {
  try {
    const version = /go1\.(\d+)/.exec(
      execFileSync("sh", ["-c", `${withGo} go version`], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    );
    // Since 1.21 Go downloads the version that a module requires.
    return Number(version?.[1]) >= 21 ? undefined : `${version?.[0]} is too old`;
  } catch {
    return "there is no Go on this machine";
  }
}

/** Stops a program, and resolves once it has exited. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
