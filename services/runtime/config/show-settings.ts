import type { EffectiveSetting, SettingGroups } from "./read-settings.ts";
import { type DescribedSetting, describeSettings, fileKeyOf } from "./setting.ts";

/** Lists all settings for a terminal: the variable, the key of a file, the valid values, the default, the description. */
export function settingsList(groups: SettingGroups): string {
  return Object.entries(groups)
    .map(([group, schema]) => [`${group}\n`, ...describeSettings(schema).map(settingText)].join("\n"))
    .join("\n");
}

function settingText(setting: DescribedSetting): string {
  const { variable, allowed, fromFile, description, live } = setting;
  const names = fromFile ? `${variable}, or the path of a file in ${variable}_FILE` : variable;
  return `  ${names}\n    ${description}\n    ${allowed}; default: ${fallbackText(setting)}; in a file: ${fileKeyOf(variable)}${live ? "; live: a change of the file applies without a restart" : ""}\n`;
}

/** The default of a setting in words, or as an operator would write it. */
export function fallbackText({ fallback, otherwise = "none" }: DescribedSetting): string {
  const text = valueText(fallback);
  return text === "" ? otherwise : text;
}

/** Writes a value as text of a variable. `undefined` is empty. */
export function valueText(value: unknown): string {
  if (Array.isArray(value)) {
    return value.join(",");
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, item]) => `${name}=${item}`)
      .join(",");
  }
  return value === undefined ? "" : String(value);
}

/** Prints the settings in use and the source of each, without secrets. */
export function effectiveText(settings: readonly EffectiveSetting[]): string {
  const width = Math.max(...settings.map(({ setting }) => setting.variable.length));
  return settings
    .map(({ setting, value, origin }) => {
      const text = valueText(value);
      const shown = text === "" ? fallbackText(setting) : redacted(setting, text);
      return `${setting.variable.padEnd(width)}  ${origin.padEnd(11)}  ${shown}\n`;
    })
    .join("");
}

/** Of a URL, which may contain a password, scheme, host and path remain; of other secrets nothing. */
function redacted({ secret }: DescribedSetting, text: string): string {
  if (!secret) {
    return text;
  }
  if (!URL.canParse(text)) {
    return "(secret)";
  }
  const { protocol, host, pathname } = new URL(text);
  return host === "" ? "(secret)" : `${protocol}//${host}${pathname}`;
}
