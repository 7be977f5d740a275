import * as v from "valibot";
import { ConfigError } from "./config-error.ts";
import { type DescribedSetting, describeSettings, type SettingsSchema } from "./setting.ts";
import { findValue, type Origin, type Sources, unknownKeys } from "./sources.ts";

/** Settings by group: those of the host, and of each service. */
export type SettingGroups = Readonly<Record<string, SettingsSchema>>;

/** The parsed settings of each group. */
export type SettingValues<G extends SettingGroups> = { readonly [K in keyof G]: v.InferOutput<G[K]> };

/** A setting in use, as an operator would write its value. */
export interface EffectiveSetting {
  readonly setting: DescribedSetting;
  readonly value: unknown;
  readonly origin: Origin;
}

/** Returns every setting of all groups. */
export function settingsOf(groups: SettingGroups): DescribedSetting[] {
  return Object.values(groups).flatMap(describeSettings);
}

/**
 * Reads all settings of all groups.
 *
 * @throws ConfigError with all problems: invalid and unreadable values, and keys of the file that name no setting.
 */
export function readSettings<const G extends SettingGroups>(groups: G, sources: Sources): SettingValues<G> {
  const problems: string[] = [];
  const values = Object.entries(groups).map(([group, schema]) => [group, readGroup(schema, sources, problems)]);
  if (sources.file !== undefined) {
    const { path } = sources.file;
    for (const key of unknownKeys(sources.file, settingsOf(groups))) {
      problems.push(`${path}: ${key} is not a setting`);
    }
  }
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  return Object.fromEntries(values);
}

/** Reads a group, and adds its problems to `problems`. The result is valid if there are none. */
function readGroup(schema: SettingsSchema, sources: Sources, problems: string[]): unknown {
  const input: Record<string, unknown> = {};
  const labels = new Map<string, string>();
  for (const setting of describeSettings(schema)) {
    const found = findValue(setting, sources);
    labels.set(setting.name, found.label);
    if ("problem" in found) {
      problems.push(`${found.label} ${found.problem}`);
    } else if (found.value !== undefined) {
      input[setting.name] = found.value;
    }
  }
  const { output, issues = [] } = v.safeParse(schema, input, { abortPipeEarly: true });
  for (const name of Object.keys(schema.entries)) {
    const issue = issues.find(({ path }) => path?.[0].key === name);
    if (issue !== undefined) {
      problems.push(`${labels.get(name)} ${issue.message}`);
    }
  }
  return output;
}

/** Returns the settings of all groups as they are in use. Call it after `readSettings` has accepted the sources. */
export function effectiveSettings(groups: SettingGroups, sources: Sources): EffectiveSetting[] {
  return settingsOf(groups).map((setting) => {
    const found = findValue(setting, sources);
    const value = "value" in found && found.value !== undefined ? found.value : setting.fallback;
    return { setting, value, origin: found.origin };
  });
}
