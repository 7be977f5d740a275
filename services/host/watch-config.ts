import { isDeepStrictEqual } from "node:util";
import { type WatchOptions, watchFiles } from "../../gateway/http/watch-files.ts";
import { counter, gauge } from "../../gateway/telemetry/metric-spec.ts";
import { ConfigError } from "../runtime/config/config-error.ts";
import { createLive, fixed, type Live } from "../runtime/config/live.ts";
import { settingsOf } from "../runtime/config/read-settings.ts";
import { type ConfigFile, secretPaths } from "../runtime/config/sources.ts";
import type { Check, CheckResult } from "../runtime/process/checks.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import { meter, runtimeMetrics } from "../runtime/telemetry/metrics.ts";
import { type HostConfig, settingGroups } from "./config.ts";
import { type ConfigSource, changeOf, type ReadConfig, readConfig } from "./reload.ts";

/** The files of a configuration, to be read again when they change. */
export interface ConfigFiles {
  readonly source: ConfigSource;
  /** What was read there at the start. */
  readonly start: ReadConfig;
  /** Default: that of {@link watchFiles}. */
  readonly timing?: WatchOptions;
}

export interface WatchConfigOptions {
  readonly config: HostConfig;
  /** Without them, the configuration does not change. */
  readonly files: ConfigFiles | undefined;
  readonly log: Logger;
}

/** The configuration of a process, whose live settings follow its files. */
export interface WatchedConfig extends AsyncDisposable {
  readonly live: Live<HostConfig>;
  /** Fails while a file is invalid, whose settings are then not in use; warns of changes that need a restart. */
  readonly check: Check;
}

const pass: CheckResult = { status: "pass" };

/**
 * Follows the configuration file and the files with secrets. A change is validated as a whole, then all of its live
 * settings are swapped at once. An invalid configuration changes nothing, is logged, counted, and shown by the check.
 *
 * Metrics: `docket_config_generation` is 1 at the start and grows with each change that is applied;
 * `docket_config_reloads_total` counts what was read again by its result.
 */
export function watchConfig({ config, files, log }: WatchConfigOptions): WatchedConfig {
  const metrics = configMetrics();
  if (files === undefined) {
    return { live: fixed(config), check: { run: async () => pass }, [Symbol.asyncDispose]: async () => {} };
  }
  const { source, start, timing } = files;
  const live = createLive(config);
  let generation = 1;
  let state = pass;
  let inUse = start;
  let watched: readonly string[] = [];
  let watcher: Disposable | undefined;
  let reading = Promise.resolve();
  let stopped = false;

  /** Watches the files of the configuration; returns whether these are others than before. */
  const follow = (file: ConfigFile | undefined): boolean => {
    const secrets = secretPaths(settingsOf(settingGroups), { environment: source.environment, file });
    const paths = source.file === undefined ? secrets : [source.file, ...secrets];
    if (isDeepStrictEqual(paths, watched)) {
      return false;
    }
    watcher?.[Symbol.dispose]();
    watcher = watchFiles(paths, onChange, timing);
    watched = paths;
    return true;
  };

  const apply = (next: ReadConfig) => {
    const change = changeOf(start, inUse, next);
    inUse = { ...next, config: change.config };
    const restart = change.restart.map((name) => `needs a restart: ${name}`).join("; ");
    if (restart !== "" && restart !== state.error) {
      log.warn({ settings: change.restart }, "changed settings need a restart");
    }
    state = restart === "" ? pass : { status: "warn", error: restart };
    if (change.applied.length === 0) {
      metrics.reloads.add(1, { result: "unchanged" });
      return;
    }
    try {
      live.set(change.config);
    } catch (err) {
      log.error({ err, settings: change.applied }, "a changed setting has no effect before a restart");
    }
    generation += 1;
    metrics.generation.record(generation);
    metrics.reloads.add(1, { result: "applied" });
    log.info({ settings: change.applied }, "the configuration was reloaded");
  };

  const reload = async () => {
    try {
      do {
        apply(await readConfig(source));
        // A file that was not watched yet may have changed after it was read.
      } while (!stopped && follow(inUse.file));
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : [String(error)];
      state = { status: "fail", error: problems.join("; ") };
      metrics.reloads.add(1, { result: "invalid" });
      log.error({ problems }, "the changed configuration cannot be used; the previous one stays in use");
    }
  };
  const onChange = () => {
    reading = reading.then(() => (stopped ? undefined : reload()));
  };

  follow(start.file);
  // The files may have changed since the start.
  onChange();
  return {
    live,
    // From memory, so that it may run often.
    check: { policy: "degraded", intervalMs: 500, run: async () => state },
    async [Symbol.asyncDispose]() {
      stopped = true;
      await reading;
      watcher?.[Symbol.dispose]();
    },
  };
}

function configMetrics() {
  const generation = gauge(meter(), runtimeMetrics.configGeneration);
  generation.record(1);
  return { generation, reloads: counter(meter(), runtimeMetrics.configReloads) };
}
