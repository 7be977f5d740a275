import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type GrpcUpstream, startGrpcUpstream } from "../testing/grpc-upstream.ts";
import { rawRequest } from "../testing/raw-request.ts";
import { echoMethods, libraryMethods, testSpec } from "../testing/test-api.ts";
import { readConfig, UsageError } from "./config.ts";
import { type Program, serve } from "./serve.ts";

const descriptorSet = fileURLToPath(new URL("../testdata/api.binpb", import.meta.url));
const json = { "content-type": "application/json" };

describe.each([
  ["over sessions of our own", true],
  ["through grpc-js", false],
])("the program in front of a gRPC server, %s", (_, direct) => {
  let upstream: GrpcUpstream;
  let program: Program;
  const lines: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), "gateway-"));
  const watched = join(folder, "api.binpb");

  beforeAll(async () => {
    copyFileSync(descriptorSet, watched);
    upstream = await startGrpcUpstream([testSpec("Library", libraryMethods()), testSpec("Echo", echoMethods())]);
    const config = readConfig([
      "--descriptor-set",
      watched,
      "--upstream",
      upstream.address,
      "--port",
      "0",
      "--host",
      "127.0.0.1",
    ]);
    if (config === undefined) throw new Error("help");
    program = await serve({ ...config, direct }, (line) => lines.push(line));
    // Until a session is up, grpc-js makes the calls.
    await sleep(200);
  });
  afterAll(async () => {
    await program[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const send = async (path: string, init: Parameters<typeof rawRequest>[2] = {}) => {
    const answer = await rawRequest(program.url, path, init);
    return { ...answer, text: answer.body.toString() };
  };

  test("should serve a unary call with its metadata, status and Location", async () => {
    const answer = await send("/v1/shelves/1/books", { method: "POST", headers: json, body: '{"title":"T"}' });
    expect(answer.status).toBe(201);
    expect(answer.headers).toMatchObject({
      location: "/v1/shelves/1/books/new",
      "x-shelf": "first",
      "grpc-trailer-x-left": "3",
    });
    expect(JSON.parse(answer.text)).toMatchObject({ title: "T", name: "shelves/1/books/new" });
  });

  test("should hand on allowed headers, binary ones as bytes, and no others", async () => {
    await send("/v1/books/b", { headers: { authorization: "Bearer x", "x-internal": "root", "x-request-id": "7" } });
    expect(upstream.lastMetadata()?.getMap()).toMatchObject({ authorization: "Bearer x", "x-request-id": "7" });
    expect(upstream.lastMetadata()?.get("x-internal")).toEqual([]);
  });

  test("should answer the upstream's errors with their details", async () => {
    const answer = await send("/fail/5?message=gone&reason=WHY");
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.text)).toEqual({
      code: 5,
      message: "gone",
      details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "WHY", domain: "test" }],
    });
  });

  test("should stream both ways", async () => {
    const watch = await send("/v1/books:watch?count=3&fail_after=2");
    expect(watch.text.trimEnd().split("\n")).toHaveLength(3);
    expect(watch.text).toMatch(/\n\{"error":\{"code":15,"message":"the shelf fell","details":\[\]\}\}\n$/);
    const upload = await send("/v1/books:upload", {
      method: "POST",
      headers: { "content-type": "text/csv" },
      body: Buffer.alloc(1e6),
    });
    expect(JSON.parse(upload.text)).toMatchObject({ byteCount: "1000000", contentType: "text/csv" });
    expect((await send("/v1/books:download?byte_count=500000")).body).toHaveLength(500_000);
  });

  test("should end the upstream's call at the deadline", async () => {
    const before = upstream.cancelled();
    const answer = await send("/wait?duration=5s", { headers: { "x-server-timeout": "0.1" } });
    expect(answer.status).toBe(504);
    await sleep(100);
    expect(upstream.cancelled()).toBeGreaterThan(before);
  });

  test("should serve OpenAPI of the descriptor set", async () => {
    const answer = await send("/openapi.json");
    expect(Object.keys((JSON.parse(answer.text) as { paths: object }).paths)).toContain("/v1/books:watch");
  });

  test("should serve a changed descriptor set anew and keep the old one where the new is broken", async () => {
    writeFileSync(watched, "broken");
    program.reload();
    expect((await send("/v1/books/b")).status).toBe(200);
    expect(lines.at(-1)).toContain("is not served");
    copyFileSync(descriptorSet, watched);
    program.reload();
    expect(lines.at(-1)).toContain("reloaded");
    expect((await send("/v1/books/b")).status).toBe(200);
  });

  test("should say nothing of where the upstream is when it is down, and use those that are up", async () => {
    const config = (upstreams: string[]) =>
      readConfig([
        "--descriptor-set",
        descriptorSet,
        ...upstreams.flatMap((each) => ["--upstream", each]),
        "--port=0",
        "--host=127.0.0.1",
        "--no-watch",
      ]);
    const down = config(["127.0.0.1:1"]);
    const mixed = config(["127.0.0.1:1", upstream.address]);
    if (down === undefined || mixed === undefined) throw new Error("help");
    {
      await using program = await serve(down, () => undefined);
      const answer = await rawRequest(program.url, "/v1/books/b");
      expect(answer.status).toBe(503);
      expect(answer.body.toString()).toContain("UPSTREAM_UNAVAILABLE");
      expect(answer.body.toString()).not.toContain("127.0.0.1");
    }
    await using program = await serve(mixed, () => undefined);
    await rawRequest(program.url, "/v1/books/b");
    await sleep(50);
    const statuses = await Promise.all(
      [1, 2, 3, 4].map(async () => (await rawRequest(program.url, "/v1/books/b")).status),
    );
    expect(statuses).toEqual([200, 200, 200, 200]);
  });

  test.each([
    [[], "--descriptor-set is missing"],
    [["--descriptor-set", "x"], "--upstream is missing"],
    [["--descriptor-set", "x", "--upstream", "y", "--port", "z"], "is not a port"],
    [["--wrong"], "Unknown option"],
    [["--descriptor-set", "x", "--upstream", "y", "--config", "/nope.json"], "cannot be read"],
  ])("should refuse the arguments %j: %s", (args, message) => {
    expect(() => readConfig(args)).toThrow(UsageError);
    expect(() => readConfig(args)).toThrow(message);
  });

  test("should run as a program and stop when told", async () => {
    const main = fileURLToPath(new URL("../main.ts", import.meta.url));
    const child = spawn(process.execPath, [
      "--no-warnings",
      main,
      "--descriptor-set",
      descriptorSet,
      "--upstream",
      upstream.address,
      "--port=0",
      "--host=127.0.0.1",
    ]);
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const url = /http:\S+/.exec(line.toString())?.[0] ?? "";
    expect((await rawRequest(url, "/v1/books/b")).status).toBe(200);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});
