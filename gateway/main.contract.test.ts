import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type GrpcUpstream, startGrpcUpstream } from "./test/support/grpc-upstream.ts";
import { rawRequest } from "./test/support/raw-request.ts";
import { testDescriptorSet, until } from "./test/support/start-program.ts";
import { libraryMethods, testSpec } from "./test/support/test-api.ts";

const main = fileURLToPath(new URL("main.ts", import.meta.url));

const start = (args: readonly string[]): ChildProcess =>
  spawn(process.execPath, ["--no-warnings", main, ...args], { stdio: ["ignore", "pipe", "pipe"] });

/** Runs the program until it exits. */
const run = async (args: readonly string[]) => {
  const child = start(args);
  const [out, errors, [code]] = await Promise.all([
    child.stdout === null ? "" : text(child.stdout),
    child.stderr === null ? "" : text(child.stderr),
    once(child, "exit") as Promise<[number | null]>,
  ]);
  return { out, errors, code };
};

describe("the gateway as a program", () => {
  let upstream: GrpcUpstream;
  beforeAll(async () => {
    upstream = await startGrpcUpstream([testSpec("Library", libraryMethods())]);
  });
  afterAll(async () => {
    await upstream[Symbol.asyncDispose]();
  });

  test("should print its usage", async () => {
    const { out, errors, code } = await run(["--help"]);
    expect({ errors, code }).toEqual({ errors: "", code: 0 });
    expect(out).toMatch(/^Usage: node gateway\/main\.ts --descriptor-set FILE --upstream HOST:PORT \[options\]\n/);
    expect(out.split("\n").filter((line) => line.length > 120)).toEqual([]);
  });

  test("should exit with 2 on invalid arguments, and report the errors and --help", async () => {
    expect(await run(["--upstream", "localhost"])).toEqual({
      out: "",
      errors:
        "--descriptor-set is missing: the file that `buf build -o api.binpb` writes\n" +
        "--upstream localhost: it has no port; write localhost:PORT\n--help shows all options\n",
      code: 2,
    });
  });

  test("should exit with 1 if it cannot serve", async () => {
    const flags = ["--descriptor-set", testDescriptorSet, "--upstream", upstream.address, "--host=127.0.0.1"];
    const missing = await run([...flags, "--port=0", "--config", "/nowhere.json"]);
    expect(missing).toEqual({ out: "", errors: "/nowhere.json: there is no such file\n", code: 1 });
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    const { errors, code } = await run([...flags, `--port=${port}`]);
    taken.close();
    expect({ errors, code }).toEqual({
      errors: `listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`,
      code: 1,
    });
  });

  test("should report liveness and readiness, reload on SIGHUP, and on SIGTERM finish its calls before it exits", async () => {
    const flags = ["--descriptor-set", testDescriptorSet, "--upstream", upstream.address, "--host=127.0.0.1"];
    const child = start([...flags, "--port=0", "--ops-port=0", "--no-watch"]);
    let out = "";
    let errors = "";
    child.stdout?.on("data", (chunk: Buffer) => (out += chunk));
    child.stderr?.on("data", (chunk: Buffer) => (errors += chunk));
    await until(() => /operations on \S+\n/.test(out));
    const [url = "", opsUrl = ""] = out.match(/http:\S+/g) ?? [];

    const ready = async () => {
      const { status, body } = await rawRequest(opsUrl, "/ready");
      return { status, json: JSON.parse(body.toString()) as unknown };
    };
    expect((await rawRequest(opsUrl, "/live")).status).toBe(200);
    await until(async () => (await ready()).status === 200);
    expect((await ready()).json).toEqual({
      status: "ready",
      upstream: [{ address: upstream.address, state: "ready" }],
    });
    expect((await rawRequest(url, "/v1/books/b")).status).toBe(200);
    const metrics = (await rawRequest(opsUrl, "/metrics")).body.toString();
    expect(metrics).toContain('gateway_requests_total{method="GET",status="200"} 1\n');
    expect(metrics).toContain('gateway_upstream_addresses{state="ready"} 1\n');
    expect((await rawRequest(opsUrl, "/metrics", { method: "POST" })).status).toBe(405);
    expect((await rawRequest(opsUrl, "/v1/books/b")).status).toBe(404);

    child.kill("SIGHUP");
    await until(() => errors === `reloaded ${testDescriptorSet}\n`);

    const running = rawRequest(url, "/v1/books:watch?count=10&pause_ms=50");
    await until(async () =>
      (await rawRequest(opsUrl, "/metrics")).body.toString().includes("gateway_requests_in_flight 1\n"),
    );
    child.kill("SIGTERM");
    await until(async () => (await ready()).status === 503);
    expect((await ready()).json).toMatchObject({ status: "stopping" });
    expect((await running).body.toString().trim().split("\n")).toHaveLength(10);
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("should be live but not ready while the upstream is down", async () => {
    const flags = ["--descriptor-set", testDescriptorSet, "--upstream", "127.0.0.1:1", "--host=127.0.0.1"];
    const child = start([...flags, "--port=0", "--ops-port=0"]);
    let out = "";
    child.stdout?.on("data", (chunk: Buffer) => (out += chunk));
    await until(() => /operations on \S+\n/.test(out));
    const opsUrl = out.match(/http:\S+/g)?.[1] ?? "";
    expect((await rawRequest(opsUrl, "/live")).status).toBe(200);
    const answer = await rawRequest(opsUrl, "/ready");
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([
      503,
      { status: "upstream unavailable", upstream: [{ address: "127.0.0.1:1", state: expect.any(String) }] },
    ]);
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});
