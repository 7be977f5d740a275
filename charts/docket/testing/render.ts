import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { type HostConfig, readHostConfig } from "../../../services/host/config.ts";
import { goTool } from "../../../tools/go-tools.ts";
import type { Manifest, PodSpec } from "./pod-policy.ts";

const run = promisify(execFile);

export const helm = goTool("helm");

/** The chart's folder. */
export const chart = join(import.meta.dirname, "..");

/** Files with values that are accepted, or that are refused. */
export function valuesFiles(kind: "good" | "bad"): { name: string; path: string }[] {
  const folder = join(chart, "testing", kind);
  return readdirSync(folder).map((name) => ({ name: name.replace(".yaml", ""), path: join(folder, name) }));
}

/** Renders the chart as release `docket` of the namespace `default`. */
export async function template(...args: string[]): Promise<string> {
  return (await run(helm, ["template", "docket", chart, ...args])).stdout;
}

export function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text, { version: "1.1" })
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
}

/** Pods that run Docket, by the names of their StatefulSet or Deployments. */
export interface Workload {
  readonly name: string;
  readonly kind: string;
  readonly replicas: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly pod: PodSpec;
}

/** The workloads that serve, without Jobs and the pod of `helm test`. */
export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  return manifests
    .filter(({ kind }) => kind === "StatefulSet" || kind === "Deployment")
    .map(({ kind, metadata: { name }, spec }) => {
      const { template, replicas } = spec ?? {};
      if (template === undefined) {
        throw new Error(`${kind}/${name} has no template`);
      }
      return { name, kind, replicas, labels: template.metadata?.labels ?? {}, pod: template.spec };
    });
}

/** Reads the settings of the ConfigMap with this name as the program does, with examples for what Secrets hold. */
export function settingsOf(
  name: string,
  manifests: readonly Manifest[],
): { config: HostConfig; data: Readonly<Record<string, string>>; secretFiles: readonly string[] } {
  const { data } = manifests.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === name) ?? {};
  if (data === undefined) {
    throw new Error(`ConfigMap/${name} is missing`);
  }
  return { ...readWithSecrets(data), data };
}

const secret = "0123456789abcdef0123456789abcdef";
const examples: Readonly<Record<string, string>> = {
  DOCKET_ADMIN_KEY: secret,
  DOCKET_SERVICE_SECRET: secret,
  DOCKET_SERVICE_SECRET_ACCEPTED: secret,
  DOCKET_SANDBOX_SECRET: secret,
  DOCKET_KAFKA_SASL_PASSWORD: secret,
  DOCKET_DATABASE_URL: "mysql://docket:secret@mysql:3306/docket",
  DOCKET_REDIS_URL: "redis://redis:6379",
};

/** Reads settings, with an example in place of each secret's file. */
export function readWithSecrets(data: Readonly<Record<string, string>>): {
  config: HostConfig;
  secretFiles: readonly string[];
} {
  const settings = Object.entries(data).map(([name, value]) => {
    const variable = name.replace(/_FILE$/, "");
    return examples[variable] === undefined ? [name, value] : [variable, examples[variable]];
  });
  const secretFiles = Object.entries(data).flatMap(([name, value]) => (name.endsWith("_FILE") ? [value] : []));
  return { config: readHostConfig(Object.fromEntries(settings)), secretFiles };
}
