import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { outboxMigrations } from "../outbox/migrations.ts";
import { createLogger } from "../telemetry/log.ts";
import { createServiceBase } from "./service-base.ts";

/** Open files of this process whose path begins so; Linux lists them. */
async function openFiles(path: string): Promise<string[]> {
  const links = await readdir("/proc/self/fd");
  const paths = await Promise.all(links.map((link) => readlink(`/proc/self/fd/${link}`).catch(() => "")));
  return paths.filter((found) => found.startsWith(path));
}

describe("the base of a service", () => {
  (process.platform === "linux" ? test : test.skip)("closes its database if a migration fails", async () => {
    await using cleanup = new AsyncDisposableStack();
    const path = await mkdtemp(join(tmpdir(), "docket-base-"));
    cleanup.defer(() => rm(path, { recursive: true }));
    const databaseUrl = `sqlite:${join(path, "trips.sqlite")}`;
    const failing = {
      up: async () => {
        throw new Error("no such table");
      },
    };
    const log = createLogger({ level: "silent", name: "test" });
    const create = (migrations: Parameters<typeof createServiceBase>[0]["migrations"]) =>
      createServiceBase({ name: "trips", databaseUrl, migrations }, { log });

    await expect(create({ ...outboxMigrations, "trips-0001": failing })).rejects.toThrow("migration trips-0001 failed");
    expect(await openFiles(path)).toEqual([]);

    const base = await create(outboxMigrations);
    expect(await openFiles(path)).not.toEqual([]);
    await base.stack.disposeAsync();
    expect(await openFiles(path)).toEqual([]);
  });
});
