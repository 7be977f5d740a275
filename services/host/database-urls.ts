import type { DatabaseCredentials } from "../runtime/db/credentials.ts";
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

/** Whether two database URLs differ in user and password at most. */
export function isSameServer(one: string | undefined, other: string | undefined): boolean {
  return withoutCredentials(one) === withoutCredentials(other);
}

function withoutCredentials(text: string | undefined): string | undefined {
  if (text === undefined || !URL.canParse(text)) {
    return text;
  }
  const url = new URL(text);
  url.username = "";
  url.password = "";
  return url.href;
}

/** User and password of the configured database URL. */
export function credentialsOf({
  databaseUrl = "mysql://",
}: {
  readonly databaseUrl?: string | undefined;
}): DatabaseCredentials {
  const { username, password } = new URL(databaseUrl);
  return { user: decodeURIComponent(username), password: decodeURIComponent(password) };
}
