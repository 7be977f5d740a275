import { execFileSync, spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";

/**
 * Compares the contract with the one that was landed before it, and fails when a client of the old one would break.
 *
 * What it compares with is, in this order: the last release (the latest tag before this commit), where this branch left
 * origin/main, the commit before this one. A clone that has none of them, or one from before there was a contract, has
 * nothing to compare with, which is said and is no failure.
 */

function git(...args: string[]): string | undefined {
  const result = spawnSync("git", args, { encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

function findBase(): { commit: string; name: string } | undefined {
  const head = git("rev-parse", "HEAD");
  const tag = git("describe", "--tags", "--abbrev=0", "HEAD^");
  const candidates = [
    { name: `release ${tag}`, commit: tag && git("rev-parse", `${tag}^{commit}`) },
    { name: "origin/main", commit: git("merge-base", "HEAD", "origin/main") },
    { name: "the commit before", commit: git("rev-parse", "--verify", "HEAD^") },
  ];
  for (const { name, commit } of candidates) {
    if (commit && commit !== head && git("cat-file", "-e", `${commit}:proto`) !== undefined) {
      return { name, commit };
    }
  }
  return undefined;
}

/** Puts the old contract under today's buf.yaml: an old one may name packages that are not installed any more. */
async function checkOut(commit: string, folder: string): Promise<string> {
  const archive = join(folder, "proto.tar");
  execFileSync("git", ["archive", "--output", archive, commit, "proto"]);
  execFileSync("tar", ["-x", "-C", folder, "-f", archive]);
  await cp("buf.yaml", join(folder, "buf.yaml"));
  await symlink(resolve("node_modules"), join(folder, "node_modules"));
  await cp("proto/third_party", join(folder, "proto/third_party"), { recursive: true });
  return join(folder, "proto");
}

const base = findBase();
if (base === undefined) {
  console.log("nothing to compare the contract with: no release, no other commit with a contract in this clone");
} else {
  console.log(`comparing the contract with ${base.name} (${base.commit.slice(0, 10)})`);
  await mkdir(".cache", { recursive: true });
  const folder = await mkdtemp(".cache/breaking-");
  try {
    const old = await checkOut(base.commit, folder);
    const buf = spawnSync("buf", ["breaking", "proto", "--against", old], { stdio: "inherit" });
    process.exitCode = buf.status ?? 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
