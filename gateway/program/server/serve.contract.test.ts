import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type AnswerChecker, createAnswerChecker } from "../../test/support/answer-checker.ts";
import { type GrpcUpstream, startGrpcUpstream } from "../../test/support/grpc-upstream.ts";
import { rawRequest } from "../../test/support/raw-request.ts";
import { startProgram, testDescriptorSet } from "../../test/support/start-program.ts";
import { echoMethods, libraryMethods, testSpec } from "../../test/support/test-api.ts";
import type { Program } from "./serve.ts";

const json = { "content-type": "application/json" };

describe("the program in front of a gRPC server", () => {
  let upstream: GrpcUpstream;
  let program: Program;
  let checker: AnswerChecker;

  beforeAll(async () => {
    upstream = await startGrpcUpstream([testSpec("Library", libraryMethods()), testSpec("Echo", echoMethods())]);
    program = await startProgram(["--descriptor-set", testDescriptorSet, "--upstream", upstream.address]);
    const document = await rawRequest(program.url, "/openapi.json");
    checker = createAnswerChecker(JSON.parse(document.body.toString()) as JsonObject);
  });
  afterAll(async () => {
    await program[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  /** Compares every response with the document that the program generated from the descriptor set. */
  const send = async (path: string, init: Parameters<typeof rawRequest>[2] = {}) => {
    const answer = await rawRequest(program.url, path, init);
    const headers = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]));
    expect(checker.check({ ...answer, method: init.method ?? "GET", path, headers })).toEqual([]);
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

  test("should forward allowed headers, binary ones as bytes, and no others", async () => {
    await send("/v1/books/b", { headers: { authorization: "Bearer x", "x-internal": "root", "x-request-id": "7" } });
    expect(upstream.lastMetadata()?.getMap()).toMatchObject({ authorization: "Bearer x", "x-request-id": "7" });
    expect(upstream.lastMetadata()?.get("x-internal")).toEqual([]);
  });

  test("should return the upstream's errors with their details", async () => {
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
    const ofOne = JSON.parse((await send("/openapi/gateway.test.v1.Echo.json")).text) as { paths: object };
    expect(Object.keys(ofOne.paths)).toContain("/echo");
    expect(Object.keys(ofOne.paths)).not.toContain("/v1/books:watch");
  });

  test("should report the address of an unavailable upstream in the log and not to clients", async () => {
    const log: string[] = [];
    const flags = ["--descriptor-set", testDescriptorSet, "--upstream", "127.0.0.1:1", "--no-watch"];
    await using program = await startProgram(flags, (line) => log.push(line));
    const answers = await Promise.all([1, 2, 3].map(() => rawRequest(program.url, "/v1/books/b")));
    for (const { status, body } of answers) {
      expect(status).toBe(503);
      expect(body.toString()).toContain("UPSTREAM_UNAVAILABLE");
      expect(body.toString()).not.toContain("127.0.0.1");
    }
    expect(log).toEqual([expect.stringMatching(/^the upstream cannot be reached: .*ECONNREFUSED 127\.0\.0\.1:1/)]);
  });
});
