import { readFile } from "node:fs/promises";
import { ConfigError } from "./config-error.ts";
import type { ConfigFile } from "./sources.ts";

/**
 * Reads a configuration file, YAML or JSON.
 *
 * @throws ConfigError if there is no such file, or if it is not a map of settings
 */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  const values = await parse(path, await read(path));
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw new ConfigError([`${path} must be a map of settings, such as "httpPort: 8080"`]);
  }
  return { path, values: values as Record<string, unknown> };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new ConfigError([isMissing ? `${path} does not exist` : `${path} cannot be read`]);
  }
}

/** An empty file is an empty map. */
async function parse(path: string, text: string): Promise<unknown> {
  // Loaded on first use, because most processes are configured by variables alone.
  const { parseDocument } = await import("yaml");
  // JSON is valid YAML.
  const document = parseDocument(text);
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    // Only the first line of each, because the others quote the file, which may contain secrets.
    throw new ConfigError(problems.map(({ message }) => `${path} is not YAML or JSON: ${message.split("\n", 1)[0]}`));
  }
  return document.toJS() ?? {};
}
