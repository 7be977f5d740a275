import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..");
const node = process.execPath;

/** Starts a program and resolves with what it wrote on a stream once that contains `sign`. */
async function start(args: readonly string[], environment: Record<string, string>, sign: string) {
  const child = spawn(node, ["--disable-warning=ExperimentalWarning", ...args], { cwd: "/", env: environment });
  const exited = once(child, "exit");
  const killOrphan = () => child.kill("SIGKILL");
  process.once("exit", killOrphan);
  let said = "";
  const isReady = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (piece: string) => {
        said += piece;
        if (said.includes(sign)) {
          resolve();
        }
      });
    }
  });
  await Promise.race([isReady, exited]);
  if (!said.includes(sign)) {
    throw new Error(`it ended before it was ready: ${said}`);
  }
  const end = async (signal: "SIGTERM" | "SIGKILL") => {
    child.kill(signal);
    const [code] = await exited;
    process.off("exit", killOrphan);
    return code as number | null;
  };
  return {
    said,
    stop: () => end("SIGTERM"),
    [Symbol.asyncDispose]: async () => void (child.exitCode ?? (await end("SIGKILL"))),
  };
}

/** The SHA-256 of every file below a folder, by its path. */
async function hashes(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const hashed = files.sort().map(async (file) => {
    const digest = createHash("sha256").update(await readFile(file));
    return [file.slice(folder.length), digest.digest("hex")] as const;
  });
  return Object.fromEntries(await Promise.all(hashed));
}

describe("the bundle", () => {
  let folder: string;
  let bundle: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "docket-bundle-"));
    bundle = join(folder, "bundle");
    await run(node, ["tools/bundle.ts", "--out", bundle], { cwd: root, env: process.env });
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("has the same bytes when it is made again from another folder", async () => {
    const again = join(folder, "again");
    await run(node, [join(root, "tools/bundle.ts"), "--out", again], { cwd: folder });
    expect(await hashes(again)).toEqual(await hashes(bundle));
    await rm(again, { recursive: true });
  }, 120_000);

  test("has a source map and the licence of every package in it", async () => {
    const map = JSON.parse(await readFile(join(bundle, "services/main.mjs.map"), "utf8"));
    expect(map.sources).toContain("order/rpc/create-order.ts");
    const licences = await readFile(join(bundle, "licences.txt"), "utf8");
    for (const name of ["@grpc/grpc-js", "kysely", "mysql2", "swagger-ui-dist", "commander"]) {
      expect(licences).toMatch(new RegExp(`^${name} [0-9.]+: `, "m"));
    }
  });

  test("serves every wire and the documentation without node_modules, and drains on SIGTERM", async () => {
    // Copied, so that nothing is found beside it that a package manager installed.
    const copy = join(folder, "copy");
    await cp(bundle, copy, { recursive: true });
    await using docket = await start(
      [join(copy, "services/main.mjs")],
      { DOCKET_HTTP_PORT: "0", DOCKET_GRPC_PORT: "0", DOCKET_OPS_PORT: "0", DOCKET_DATA_DIR: join(folder, "data") },
      "Docket is ready.",
    );
    const [, url = ""] = /REST, Connect, gRPC-Web\s+(\S+)/.exec(docket.said) ?? [];
    const page = await (await fetch(`${url}/docs`)).text();
    const assets = [...page.matchAll(/(?:href|src)="(\/[^"]+)"/g)].map(([, path]) => path);
    expect(assets).toHaveLength(5);
    for (const path of [...assets, "/openapi.json", "/openapi/docket.order.v1.OrderService.yaml"]) {
      expect(`${path} ${(await fetch(`${url}${path}`)).status}`).toBe(`${path} 200`);
    }

    const key = (await readFile(join(folder, "data/admin-key"), "utf8")).trim();
    const cli = join(copy, "web-client/sdk/cli/main.mjs");
    const env = { DOCKET_URL: url, DOCKET_API_KEY: key };
    expect((await run(node, [cli, "keys", "list"], { cwd: "/", env })).stdout).toContain("apiKeys/admin");
    expect((await run(node, [cli, "--version"], { cwd: "/", env })).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await docket.stop()).toBe(0);
  }, 120_000);

  test("reaches for Kafka's brokers without node_modules", async () => {
    const copy = join(folder, "kafka-copy");
    await cp(bundle, copy, { recursive: true });
    const env = { DOCKET_KAFKA_BROKERS: "127.0.0.1:1" };
    const topics = run(node, [join(copy, "services/main.mjs"), "topics"], { cwd: "/", env });
    await expect(topics).rejects.toThrow("Kafka at 127.0.0.1:1 does not serve this process");
  }, 60_000);

  test("runs the gateway program", async () => {
    const descriptorSet = join(root, "gateway/test/testdata/api.binpb");
    const args = ["--descriptor-set", descriptorSet, "--upstream", "127.0.0.1:1", "--port", "0", "--no-health-check"];
    await using gateway = await start([join(bundle, "gateway/main.mjs"), ...args], {}, "serving ");
    const [, url = ""] = /on (http:\S+)/.exec(gateway.said) ?? [];
    expect((await fetch(`${url}/docs/swagger-ui.css`)).status).toBe(200);
    expect(await gateway.stop()).toBe(0);
  }, 60_000);
});
