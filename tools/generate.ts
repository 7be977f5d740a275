import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * Runs buf and brings gen/ up to date: only files that changed are written, files that nothing generates are removed.
 *
 * With `--check` gen/ is left alone; the exit code is 1 and the differing files are named when it is stale.
 */

type Difference = { file: string; kind: "missing" | "outdated" | "not generated any more" };

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

async function compare(fresh: string, committed: string): Promise<Difference[]> {
  const wanted = await filesUnder(fresh);
  const present = new Set(await filesUnder(committed));
  const differences: Difference[] = [];
  for (const file of wanted) {
    if (!present.delete(file)) {
      differences.push({ file, kind: "missing" });
    } else if (!(await readFile(join(fresh, file))).equals(await readFile(join(committed, file)))) {
      differences.push({ file, kind: "outdated" });
    }
  }
  for (const file of present) {
    differences.push({ file, kind: "not generated any more" });
  }
  return differences.sort((a, b) => a.file.localeCompare(b.file));
}

async function update(fresh: string, committed: string, differences: Difference[]): Promise<void> {
  for (const { file, kind } of differences) {
    const target = join(committed, file);
    if (kind === "not generated any more") {
      await rm(target);
    } else {
      await mkdir(dirname(target), { recursive: true });
      await cp(join(fresh, file), target);
    }
  }
}

await mkdir(".cache", { recursive: true });
const folder = await mkdtemp(".cache/generate-");
try {
  const buf = spawnSync("buf", ["generate", "--output", folder], { stdio: "inherit" });
  if (buf.status !== 0) {
    throw new Error("buf generate failed", { cause: buf.error });
  }
  const differences = await compare(join(folder, "gen"), "gen");
  for (const { file, kind } of differences) {
    console.log(`gen/${file}: ${kind}`);
  }
  if (!process.argv.includes("--check")) {
    await update(join(folder, "gen"), "gen", differences);
    console.log(`gen/: ${differences.length} files changed`);
  } else if (differences.length > 0) {
    console.log("gen/ is stale: run `npm run generate` and commit what it changes");
    process.exitCode = 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
