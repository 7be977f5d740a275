import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * The folder of V8's compiled code: the one beside the bundle, which `tools/function.ts` fills, else the repository's.
 * Undefined would be a folder of Node's choice, which may not be writable.
 */
export function compileCacheFolder(here: string): string {
  const bundled = join(here, "compile-cache");
  return existsSync(bundled) ? bundled : join(here, "../../.cache/node");
}
