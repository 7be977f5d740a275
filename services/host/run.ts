import { ConfigError, type Environment } from "../runtime/config/config.ts";
import { stopOnSignal } from "../runtime/process/stop-on-signal.ts";
import { readArguments, usage } from "./arguments.ts";
import { banner } from "./banner.ts";
import { readHostConfig } from "./config.ts";
import { startHost } from "./host.ts";
import { explainStartFailure } from "./start-failure.ts";

/**
 * Runs Docket until a signal stops it. On failure prints the reason on one line and exits with 1, or with 2 for an
 * invalid command line.
 */
export async function runHost(environment: Environment, args: readonly string[]): Promise<void> {
  const given = readArguments(args);
  if (given.command === "help") {
    process.stdout.write(usage);
    return;
  }
  if (given.command === "refused") {
    process.stderr.write(`docket: ${given.problem}\n\n${usage}`);
    process.exit(2);
  }
  // Files created by the program are accessible to their owner only.
  process.umask(0o077);
  try {
    const config = readHostConfig(
      given.services === undefined ? environment : { ...environment, DOCKET_SERVICES: given.services },
    );
    const running = await startHost(config);
    stopOnSignal(running.lifecycle);
    process.stderr.write(banner(running, config));
  } catch (error) {
    process.stderr.write(`docket: ${error instanceof ConfigError ? error.message : explainStartFailure(error)}\n`);
    process.exit(1);
  }
}
