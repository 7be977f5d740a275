import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "../test/support/start-program.ts";
import { entriesOfPath } from "./path-entries.ts";
import { watchFiles } from "./watch-files.ts";

let folder: string;
let changes: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "watch-files-"));
  changes = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = (...names: string[]): string => join(folder, ...names);

const quietMs = 50;
/** So long that only events can report a change. */
const never = 3_600_000;

const watchAll = (...paths: string[]): Disposable =>
  watchFiles(paths, () => changes++, { quietMs, lookMs: never, unwatchedLookMs: never });

/** A volume of Kubernetes: files are links to `..data`, a link to the folder with the current version. */
const mountVersion = (version: string, files: Record<string, string>): void => {
  mkdirSync(path(version));
  for (const [name, content] of Object.entries(files)) writeFileSync(path(version, name), content);
  symlinkSync(version, path("..data_tmp"));
  renameSync(path("..data_tmp"), path("..data"));
};

describe("a change is reported, by an event,", () => {
  test("of a file that is overwritten, replaced, deleted, and made again", async () => {
    writeFileSync(path("a"), "1");
    using _watch = watchAll(path("a"));
    writeFileSync(path("a"), "2");
    await until(() => changes === 1);
    writeFileSync(path("b"), "3");
    renameSync(path("b"), path("a"));
    await until(() => changes === 2);
    rmSync(path("a"));
    await until(() => changes === 3);
    writeFileSync(path("a"), "4");
    await until(() => changes === 4);
  });

  test("of each new version that Kubernetes mounts, also after the one before is deleted", async () => {
    mountVersion("..1", { cert: "1", key: "1" });
    for (const name of ["cert", "key"]) symlinkSync(join("..data", name), path(name));
    using _watch = watchAll(path("cert"), path("key"));
    for (const version of [2, 3, 4]) {
      mountVersion(`..${version}`, { cert: `${version}`, key: `${version}` });
      rmSync(path(`..${version - 1}`), { recursive: true });
      await until(() => changes === version - 1);
      expect(readFileSync(path("cert"), "utf8")).toBe(`${version}`);
    }
  });

  test("of a link to a file elsewhere, when the link or the file changes", async () => {
    mkdirSync(path("elsewhere"));
    mkdirSync(path("links"));
    writeFileSync(path("elsewhere", "1"), "1");
    writeFileSync(path("elsewhere", "2"), "2");
    symlinkSync(path("elsewhere", "1"), path("links", "a"));
    using _watch = watchAll(path("links", "a"));
    writeFileSync(path("elsewhere", "1"), "changed");
    await until(() => changes === 1);
    symlinkSync("../elsewhere/2", path("links", "new"));
    renameSync(path("links", "new"), path("links", "a"));
    await until(() => changes === 2);
    writeFileSync(path("elsewhere", "2"), "changed too");
    await until(() => changes === 3);
  });

  test("of a link among the folders of the path", async () => {
    for (const version of ["1", "2"]) {
      mkdirSync(path(version));
      writeFileSync(path(version, "a"), version);
    }
    symlinkSync("1", path("current"));
    using _watch = watchAll(path("current", "a"));
    symlinkSync("2", path("new"));
    renameSync(path("new"), path("current"));
    await until(() => changes === 1);
  });
});

describe("a change is reported once", () => {
  test("if several files change together, in steps", async () => {
    writeFileSync(path("cert"), "1");
    writeFileSync(path("key"), "1");
    using _watch = watchFiles([path("cert"), path("key")], () => changes++, { quietMs: 500, lookMs: never });
    for (const name of ["cert", "key", "cert", "key"]) {
      writeFileSync(path(name), `${Math.random()}`);
      await sleep(20);
    }
    await until(() => changes > 0);
    await sleep(700);
    expect(changes).toBe(1);
  });

  test("and not at all if the contents are the same, if other files change, or after disposal", async () => {
    writeFileSync(path("a"), "1");
    const watch = watchAll(path("a"));
    utimesSync(path("a"), new Date(), new Date());
    writeFileSync(path("a"), "1");
    writeFileSync(path("other"), "1");
    await sleep(4 * quietMs);
    watch[Symbol.dispose]();
    writeFileSync(path("a"), "2");
    await sleep(4 * quietMs);
    expect(changes).toBe(0);
  });
});

test("files are read without events too, in folders that do not exist yet and in those that were replaced", async () => {
  using _watch = watchFiles([path("later", "a")], () => changes++, { quietMs, lookMs: 100, unwatchedLookMs: 100 });
  mkdirSync(path("later"));
  writeFileSync(path("later", "a"), "1");
  await until(() => changes === 1);
  renameSync(path("later"), path("before"));
  mkdirSync(path("later"));
  writeFileSync(path("later", "a"), "2");
  await until(() => changes >= 2);
});

describe("the entries of a path", () => {
  test("are its links, and its file where they lead", () => {
    mountVersion("..1", { cert: "1" });
    symlinkSync(join("..data", "cert"), path("cert"));
    expect(entriesOfPath(path("cert")).filter((entry) => entry.folder.startsWith(folder))).toEqual([
      { folder, name: "cert" },
      { folder, name: "..data" },
      { folder: path("..1"), name: "cert" },
    ]);
  });

  test("end for links in a circle", () => {
    symlinkSync("b", path("a"));
    symlinkSync("a", path("b"));
    expect(entriesOfPath(path("a")).length).toBeLessThan(60);
  });
});
