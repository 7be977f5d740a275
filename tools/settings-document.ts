import type { SettingGroups } from "../services/runtime/config/read-settings.ts";
import { type DescribedSetting, describeSettings, fileKeyOf } from "../services/runtime/config/setting.ts";
import { fallbackText } from "../services/runtime/config/show-settings.ts";

/** Replaces what stands between the markers of each group, `<!-- settings: NAME -->` and `<!-- end -->`, by its table. */
export function settingsDocument(document: string, groups: SettingGroups): string {
  return Object.entries(groups).reduce((text, [group, schema]) => {
    const start = `<!-- settings: ${group} -->`;
    const from = text.indexOf(start);
    const to = text.indexOf("<!-- end -->", from);
    if (from === -1 || to === -1) {
      throw new Error(`the document has no place for the settings of ${group}: ${start} … <!-- end -->`);
    }
    const table = tableOf(describeSettings(schema));
    return `${text.slice(0, from)}${start}\n\n${table}\n\n${text.slice(to)}`;
  }, document);
}

function tableOf(settings: readonly DescribedSetting[]): string {
  const head = "| variable | in a file | | allowed | default | change |\n| --- | --- | --- | --- | --- | --- |";
  return [head, ...settings.map(rowOf)].join("\n");
}

function rowOf(setting: DescribedSetting): string {
  const { variable, fromFile, description, allowed, fallback, live } = setting;
  const names = fromFile ? `\`${variable}\`, \`…_FILE\`` : `\`${variable}\``;
  const text = fallbackText(setting);
  const hasDefault = fallback !== undefined && text !== setting.otherwise && text !== "none";
  const shown = hasDefault ? `\`${text}\`` : text;
  const cells = [names, `\`${fileKeyOf(variable)}\``, description, allowed, shown, live ? "live" : "restart"];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
