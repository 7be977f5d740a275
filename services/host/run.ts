import { startTelemetry } from "../../gateway/telemetry/start-telemetry.ts";
import { ConfigError } from "../runtime/config/config-error.ts";
import { effectiveSettings, settingsOf } from "../runtime/config/read-settings.ts";
import { effectiveText, settingsList } from "../runtime/config/show-settings.ts";
import { type Environment, unknownVariables } from "../runtime/config/sources.ts";
import { stopOnSignal } from "../runtime/process/stop-on-signal.ts";
import { type Arguments, readArguments, usage } from "./arguments.ts";
import { banner } from "./banner.ts";
import { settingGroups } from "./config.ts";
import { type ConfigSource, readConfig } from "./reload.ts";
import { explainStartFailure } from "./start-failure.ts";

/**
 * Runs a command of the program: Docket until a signal stops it, the topics of its events, or the list or check of its
 * settings. On failure prints
 * the reason and exits with 1, or with 2 for an invalid command line.
 */
export async function runHost(environment: Environment, args: readonly string[]): Promise<void> {
  const given = readArguments(args);
  try {
    switch (given.command) {
      case "help":
        process.stdout.write(usage);
        return;
      case "settings":
        process.stdout.write(settingsList(settingGroups));
        return;
      case "check":
        await check(sourceOf(given, environment));
        return;
      case "serve":
        await serve(sourceOf(given, environment));
        return;
      case "topics":
        await topics(sourceOf(given, environment));
        return;
      case "refused":
        process.stderr.write(`docket: ${given.problem}\n\n${usage}`);
        process.exit(2);
    }
  } catch (error) {
    process.stderr.write(`docket: ${error instanceof ConfigError ? error.message : explainStartFailure(error)}\n`);
    process.exit(1);
  }
}

/** Where the configuration is read. Warns of variables that no setting has. */
function sourceOf(
  given: Extract<Arguments, { command: "serve" | "topics" | "check" }>,
  environment: Environment,
): ConfigSource {
  for (const name of unknownVariables(environment, settingsOf(settingGroups))) {
    process.stderr.write(`docket: warning: ${name} is not a setting and has no effect\n`);
  }
  return {
    environment: given.services === undefined ? environment : { ...environment, DOCKET_SERVICES: given.services },
    file: given.file,
  };
}

async function check(source: ConfigSource): Promise<void> {
  const { file } = await readConfig(source);
  process.stdout.write(effectiveText(effectiveSettings(settingGroups, { environment: source.environment, file })));
}

async function topics(source: ConfigSource): Promise<void> {
  const { config } = await readConfig(source);
  const { makeTopics } = await import("./kafka.ts");
  process.stdout.write(await makeTopics(config.kafka));
}

async function serve(source: ConfigSource): Promise<void> {
  const start = await readConfig(source);
  // Files created by the program are accessible to their owner only.
  process.umask(0o077);
  // Loaded after the configuration is accepted, because it is most of the program.
  const { startHost } = await import("./host.ts");
  const telemetry = await startTelemetry({ serviceName: "docket", environment: source.environment });
  const running = await startHost(start.config, { telemetry, configFiles: { source, start } });
  stopOnSignal(running.lifecycle);
  process.stderr.write(banner(running, start.config));
}
