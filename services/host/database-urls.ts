import type { DataFolder } from "./data-folder.ts";

/** Database URL of a service: a schema of the configured server, or a file of the data folder. */
export function databaseUrlOf(
  service: string,
  folder: Pick<DataFolder, "file">,
  serverUrl: string | undefined,
): string {
  if (serverUrl === undefined) {
    return `sqlite:${folder.file(`${service}.sqlite`)}`;
  }
  const url = new URL(serverUrl);
  const prefix = url.pathname.slice(1) || "docket";
  url.pathname = `/${prefix}_${service}`;
  return url.href;
}
