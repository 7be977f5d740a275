import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { openDataFolder } from "./data-folder.ts";

describe("the data folder", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "docket-data-"));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  test("makes a secret once and keeps it", async () => {
    const folder = await openDataFolder(join(root, "new", "folder"));
    const first = await folder.secret("key");
    expect(first.isNew).toBe(true);
    expect(await (await openDataFolder(folder.path)).secret("key")).toEqual({ value: first.value, isNew: false });
  });

  test("gives one secret to all who ask at once", async () => {
    const folder = await openDataFolder(root);
    const answers = await Promise.all(Array.from({ length: 20 }, () => folder.secret("key")));
    expect(new Set(answers.map(({ value }) => value)).size).toBe(1);
    expect(answers.filter(({ isNew }) => isNew)).toHaveLength(1);
  });

  test("stores secrets readable by their owner only", async () => {
    const folder = await openDataFolder(root);
    await folder.secret("key");
    expect((await stat(folder.file("key"))).mode & 0o077).toBe(0);
  });

  test("takes from others what they could read before", async () => {
    const names = ["order.sqlite", "order.sqlite-wal", "order.sqlite-shm", "key"];
    for (const name of names) {
      await writeFile(join(root, name), "x");
      await chmod(join(root, name), 0o644);
    }
    await chmod(root, 0o755);
    const folder = await openDataFolder(root);
    await folder.secret("key");
    for (const path of [root, ...names.map(folder.file)]) {
      expect(`${path} ${((await stat(path)).mode & 0o077).toString(8)}`).toBe(`${path} 0`);
    }
    expect(folder.exposed).toEqual([]);
  });

  test("says which path is in the way", async () => {
    await writeFile(join(root, "file"), "");
    await expect(openDataFolder(join(root, "file"))).rejects.toThrow(join(root, "file"));
  });
});
