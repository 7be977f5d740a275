import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readConfig } from "../../program/cli/config.ts";
import { type Program, serve } from "../../program/server/serve.ts";

/** The descriptor set of `testdata/proto`. */
export const testDescriptorSet = fileURLToPath(new URL("../testdata/api.binpb", import.meta.url));

/** Starts the program on a free port of the loopback interface, with the given command line. */
export async function startProgram(
  args: readonly string[],
  log: (line: string) => void = () => undefined,
): Promise<Program> {
  const config = readConfig(["--host=127.0.0.1", "--port=0", ...args]);
  if (config === undefined) throw new Error("only --help was asked for");
  return await serve(config, log);
}

/** Polls until the condition is true. @throws after ten seconds. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let tried = 0; tried < 500; tried += 1) {
    if (await isTrue()) return;
    await sleep(20);
  }
  throw new Error(`it never came true: ${isTrue}`);
}
