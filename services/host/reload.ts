import { readConfigFile } from "../runtime/config/config-file.ts";
import { effectiveSettings, settingsOf } from "../runtime/config/read-settings.ts";
import { describeSettings } from "../runtime/config/setting.ts";
import { valueText } from "../runtime/config/show-settings.ts";
import type { ConfigFile, Environment } from "../runtime/config/sources.ts";
import { type HostConfig, isHostGroup, readHostConfig, settingGroups } from "./config.ts";
import { isSameServer } from "./database-urls.ts";

/** Where the configuration of a process is read, at its start and again when a file changes. */
export interface ConfigSource {
  readonly environment: Environment;
  /** Path of the configuration file, if there is one. */
  readonly file?: string | undefined;
}

/** A configuration as it was read, with the text of each setting by its variable. */
export interface ReadConfig {
  readonly config: HostConfig;
  readonly texts: ReadonlyMap<string, string>;
  readonly file: ConfigFile | undefined;
}

/**
 * Reads the configuration from its source.
 *
 * @throws ConfigError with every problem
 */
export async function readConfig({ environment, file: path }: ConfigSource): Promise<ReadConfig> {
  const file = path === undefined ? undefined : await readConfigFile(path);
  const config = readHostConfig(environment, file);
  const settings = effectiveSettings(settingGroups, { environment, file });
  return { config, file, texts: new Map(settings.map(({ setting, value }) => [setting.variable, valueText(value)])) };
}

/** What a newly read configuration changes. */
export interface ConfigChange {
  /** The configuration in use with the live settings of the new one. */
  readonly config: HostConfig;
  /** Variables of the live settings that differ from those in use. */
  readonly applied: readonly string[];
  /** Variables of the settings that differ from those at the start and need a restart. */
  readonly restart: readonly string[];
}

/** Compares a newly read configuration with that of the start, and with the one in use. */
export function changeOf(start: ReadConfig, inUse: ReadConfig, next: ReadConfig): ConfigChange {
  const settings = settingsOf(settingGroups);
  const differs = (other: ReadConfig, variable: string) => other.texts.get(variable) !== next.texts.get(variable);
  // Of the database's URL, only the credentials are live.
  const movesDatabase = !isSameServer(start.config.databaseUrl, next.config.databaseUrl);
  const isLive = ({ live, name }: { live: boolean; name: string }) =>
    live && !(name === "databaseUrl" && movesDatabase);
  return {
    config: withLiveSettings(inUse.config, next.config, isLive),
    applied: settings.filter((it) => isLive(it) && differs(inUse, it.variable)).map(({ variable }) => variable),
    restart: settings.filter((it) => !isLive(it) && differs(start, it.variable)).map(({ variable }) => variable),
  };
}

function withLiveSettings(
  inUse: HostConfig,
  next: HostConfig,
  isLive: (setting: { live: boolean; name: string }) => boolean,
): HostConfig {
  const merged: Record<string, unknown> = { ...inUse };
  for (const [group, schema] of Object.entries(settingGroups)) {
    const names = describeSettings(schema)
      .filter(isLive)
      .map(({ name }) => name);
    if (isHostGroup(group)) {
      Object.assign(merged, pick(next, names));
    } else {
      const key = group as keyof HostConfig;
      merged[group] = { ...(inUse[key] as object), ...pick(next[key] as object, names) };
    }
  }
  return merged as HostConfig;
}

function pick(values: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));
}
