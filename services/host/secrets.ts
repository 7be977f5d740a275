import { randomBytes } from "node:crypto";
import type { HostConfig } from "./config.ts";
import type { DataFolder } from "./data-folder.ts";
import type { Target } from "./targets.ts";

/** What only this installation knows. */
export interface Secrets {
  /** Empty in a process that does not run the operations service. */
  readonly adminKey: string;
  /** Whether the admin key was made by this start. */
  readonly adminKeyIsNew: boolean;
  /** What the sandboxes' signing secrets are derived from. */
  readonly sandboxSecret: string;
}

/** Reads the configured secrets; those that are not configured are made once and kept in the data folder. */
export async function readSecrets(
  folder: DataFolder,
  config: HostConfig,
  targets: ReadonlySet<Target>,
): Promise<Secrets> {
  const makesKey = config.adminKey === undefined && targets.has("operations");
  const kept = makesKey ? await folder.secret("admin-key", newAdminKey) : undefined;
  const sandboxSecret = config.sandboxSecret ?? (await folder.secret("sandbox-secret", newSigningSecret)).value;
  return { adminKey: config.adminKey ?? kept?.value ?? "", adminKeyIsNew: kept?.isNew ?? false, sandboxSecret };
}

function newAdminKey(): string {
  return `dk_${randomBytes(32).toString("base64url")}`;
}

/** In the form of Standard Webhooks. */
function newSigningSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}
