import { exec } from "node:child_process";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Code, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { createGrpcTransport } from "../runtime/grpc/transport.ts";
import { runToEnd, startProgram } from "./support/program.ts";

const sh = promisify(exec);

describe("the program", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "docket-program-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("prints a first request that works when it is pasted", async () => {
    await using program = await startProgram({ DOCKET_DATA_DIR: folder });
    const line = program
      .said()
      .split("\n")
      .find((text) => text.trim().startsWith("curl "));
    const { stdout } = await sh(`${line} --silent --fail`);
    expect(JSON.parse(stdout)).toEqual({ orders: [], nextPageToken: "" });
  }, 30_000);

  test("shows the key it made once, and keeps it", async () => {
    const first = await startProgram({ DOCKET_DATA_DIR: folder });
    expect(first.said()).toMatch(/admin key\s+dk_/);
    expect(await first.stop()).toBe(0);
    await using second = await startProgram({ DOCKET_DATA_DIR: folder });
    expect(second.said()).not.toMatch(/dk_/);
    expect(await Array.fromAsync(second.docket.listOrders())).toEqual([]);
  }, 30_000);

  test("ends with 0 on SIGTERM, also with an open watch", async () => {
    await using program = await startProgram({ DOCKET_DATA_DIR: folder });
    const watching = Array.fromAsync(program.docket.orders.watchOrders({}, { timeoutMs: 0 })).then(
      () => "ended",
      () => "broken off",
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await program.stop()).toBe(0);
    expect(["ended", "broken off"]).toContain(await watching);
  }, 30_000);

  test("names every setting that it cannot use, at once", async () => {
    const { code, said } = await runToEnd({
      DOCKET_DATA_DIR: folder,
      DOCKET_HTTP_PORT: "http",
      DOCKET_DATABASE_URL: "postgres://db/x",
      DOCKET_PAYMENT_DEADLINE: "soon",
    });
    expect(code).toBe(1);
    expect(said).toContain("DOCKET_HTTP_PORT");
    expect(said).toContain("DOCKET_DATABASE_URL");
    expect(said).toContain("DOCKET_PAYMENT_DEADLINE");
    expect(said).not.toContain("    at ");
  });

  test("is configured by a file, warns of unknown variables, and refuses unknown keys", async () => {
    const file = join(folder, "docket.yaml");
    await writeFile(file, `dataDir: ${folder}/data\nreflection: false\nservices: [all]\n`);
    const environment = { DOCKET_DATA_DIR: `${folder}/other`, DOCKET_LOG_LEVL: "debug", DOCKET_URL: "http://other" };
    await using program = await startProgram(environment, ["serve", "--config", file]);
    expect(program.said()).toMatch(/^docket: warning: DOCKET_LOG_LEVL is not a setting and has no effect$/m);
    expect(program.said()).not.toContain("DOCKET_URL");
    expect(await readdir(folder)).toEqual(expect.arrayContaining(["other"]));
    expect(await readdir(folder)).not.toContain("data");
    await writeFile(file, "htpPort: 1\nhttpPort: -1\n");
    const { code, said } = await runToEnd({ DOCKET_DATA_DIR: folder, DOCKET_HTTP_PORT: "" }, ["--config", file]);
    expect(code).toBe(1);
    expect(said).toContain(`${file}: httpPort must be a whole number from 0 to 65535\n`);
    expect(said).toContain(`${file}: htpPort is not a setting\n`);
  }, 30_000);

  test("lists all settings, and prints those in use without secrets", async () => {
    const list = await runToEnd({}, ["config", "--help"]);
    expect(list).toMatchObject({ code: 0, said: "", printed: expect.stringContaining("DOCKET_HTTP_PORT\n") });
    const adminKey = "k".repeat(40);
    const environment = { DOCKET_ADMIN_KEY: adminKey, DOCKET_DATABASE_URL: "mysql://root:hunter2@db/shop" };
    const { code, printed } = await runToEnd(environment, ["config", "--check"]);
    expect(code).toBe(0);
    expect(printed).toMatch(/^DOCKET_DATABASE_URL +environment +mysql:\/\/db\/shop$/m);
    expect(printed).toMatch(/^DOCKET_ADMIN_KEY +environment +\(secret\)$/m);
    expect(printed).not.toMatch(/hunter2|kkkk/);
    const invalid = await runToEnd({ DOCKET_DRAIN_BUDGET: "soon" }, ["config", "--check"]);
    expect(invalid).toMatchObject({ code: 1, printed: "", said: expect.stringContaining("DOCKET_DRAIN_BUDGET must") });
  });

  test("keeps its files to itself, without reflection and documents where they are switched off", async () => {
    await using program = await startProgram({
      DOCKET_DATA_DIR: folder,
      DOCKET_REFLECTION: "false",
      DOCKET_DOCS: "false",
    });
    const names = await readdir(folder);
    expect(names).toEqual(expect.arrayContaining(["admin-key", "order.sqlite", "order.sqlite-wal"]));
    for (const name of names) {
      expect(`${name} ${((await stat(join(folder, name))).mode & 0o077).toString(8)}`).toBe(`${name} 0`);
    }
    expect((await fetch(`${program.httpUrl}/docs`)).status).toBe(404);
    expect((await fetch(`${program.httpUrl}/openapi.json`)).status).toBe(404);
    const address = /gRPC {2,}(127\S+)/.exec(program.said())?.[1] ?? "";
    const { transport, ...connection } = createGrpcTransport({ address });
    const ask = createClient(ServerReflection, transport).serverReflectionInfo(
      (async function* () {
        yield { messageRequest: { case: "listServices" as const, value: "*" } };
      })(),
    );
    await expect(Array.fromAsync(ask)).rejects.toMatchObject({ code: Code.Unimplemented });
    await connection[Symbol.asyncDispose]();
  }, 30_000);

  test("says which port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as { port: number };
    const { code, said } = await runToEnd({ DOCKET_DATA_DIR: folder, DOCKET_HTTP_PORT: String(port) });
    other.close();
    expect(code).toBe(1);
    expect(said).toContain(`port ${port} of 127.0.0.1 is in use`);
    expect(said).not.toContain("    at ");
  });

  test("says that the data folder is none", async () => {
    await writeFile(join(folder, "file"), "");
    const { code, said } = await runToEnd({ DOCKET_DATA_DIR: join(folder, "file") });
    expect(code).toBe(1);
    expect(said).toContain("DOCKET_DATA_DIR");
  });

  test("says that the database does not answer", async () => {
    const { code, said } = await runToEnd({
      DOCKET_DATA_DIR: folder,
      DOCKET_DATABASE_URL: "mysql://root@127.0.0.1:1/docket",
    });
    expect(code).toBe(1);
    expect(said).toContain("DOCKET_DATABASE_URL");
  });
});
