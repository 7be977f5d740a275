import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Readable } from "node:stream";

/** A gateway that runs as a process of its own. */
export interface Contender {
  readonly name: string;
  readonly process: ChildProcessByStdio<null, Readable, null>;
  readonly port: number;
}

/** Starts a program that prints its address. */
export async function startProcess(
  name: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Contender> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  // Runs even if a round fails.
  process.once("exit", () => child.kill());
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1]);
  return { name, process: child, port };
}

/**
 * CPU of the whole process, all its threads, since its start, in microseconds. It is counted in ticks of 10 ms, so a
 * round must last much longer. Linux only.
 */
export function cpuMicrosOf({ process: { pid } }: Contender): number {
  // The fields after the command's name, of which user and system time are the 12th and the 13th.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}
