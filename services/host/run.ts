import { ConfigError, type Environment } from "../runtime/config/config.ts";
import { stopOnSignal } from "../runtime/process/stop-on-signal.ts";
import { banner } from "./banner.ts";
import { readHostConfig } from "./config.ts";
import { startHost } from "./host.ts";
import { explainStartFailure } from "./start-failure.ts";

/** Runs a standalone Docket until a signal ends it; what keeps it from starting is told in a line, and the exit code is 1. */
export async function runHost(environment: Environment): Promise<void> {
  // Whatever the program writes is for its owner alone.
  process.umask(0o077);
  try {
    const config = readHostConfig(environment);
    const running = await startHost(config);
    stopOnSignal(running.lifecycle);
    process.stderr.write(banner(running, config));
  } catch (error) {
    process.stderr.write(`docket: ${error instanceof ConfigError ? error.message : explainStartFailure(error)}\n`);
    process.exit(1);
  }
}
