import { connect, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createHttpHandler } from "../http-handler.ts";
import { rawRequest } from "../test/support/raw-request.ts";
import { libraryMethods, startUnwatchedServer, type TestServer, testSpec } from "../test/support/test-api.ts";

const spec = testSpec("Library", {
  ...libraryMethods(),
  getBook: (request, context) => {
    if (request["name"] !== "plain") context.responseTrailer.set("x-left", "3");
    return { name: request["name"], title: request["name"] === "long" ? "t".repeat(5000) : "" };
  },
  watchBooks: async function* (request: { count: number }, context: { responseTrailer: Headers }) {
    yield { resumeToken: "1" };
    context.responseTrailer.set("x-left", "3");
    if (request.count === 0) throw new Error("lost");
  } as never,
  downloadBooks: async function* (_: unknown, context: { responseTrailer: Headers }) {
    yield { data: Buffer.from("bytes") };
    context.responseTrailer.set("x-proof-bin", "AP8=");
  } as never,
});

describe("trailers of a call", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startUnwatchedServer({ specs: [spec] });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const get = (path: string, te?: string, method = "GET", headers = {}) =>
    rawRequest(server.url, path, { method, headers: { ...headers, ...(te === undefined ? {} : { te }) } });

  test.each(["trailers", "deflate;q=0.5, Trailers"])("are trailers for a client that sends TE: %s", async (te) => {
    const answer = await get("/v1/books/a", te);
    expect(answer.trailers).toEqual({ "grpc-trailer-x-left": "3" });
    expect(answer.headers).toMatchObject({ trailer: "grpc-trailer-x-left", "transfer-encoding": "chunked" });
    expect(answer.headers).not.toHaveProperty("grpc-trailer-x-left");
    expect(JSON.parse(answer.body.toString())).toMatchObject({ name: "a" });
  });

  test.each([undefined, "gzip"])("are headers for a client that sends TE: %s", async (te) => {
    const answer = await get("/v1/books/a", te);
    expect(answer.trailers).toEqual({});
    expect(answer.headers).toMatchObject({ "grpc-trailer-x-left": "3", "content-length": String(answer.body.length) });
  });

  test("are headers if there is no body, and change nothing if there are none", async () => {
    expect((await get("/v1/books/a", "trailers", "HEAD")).headers).toMatchObject({ "grpc-trailer-x-left": "3" });
    const plain = await get("/v1/books/plain", "trailers");
    expect(plain.headers).toMatchObject({ "content-length": String(plain.body.length) });
    expect(plain.headers).not.toHaveProperty("trailer");
  });

  test("follow a compressed body", async () => {
    const answer = await get("/v1/books/long", "trailers", "GET", { "accept-encoding": "gzip" });
    expect(answer.trailers).toEqual({ "grpc-trailer-x-left": "3" });
    expect(JSON.parse(gunzipSync(answer.body).toString())).toMatchObject({ name: "long" });
  });

  test.each([
    ["of messages", "/v1/books:watch?count=1", { "grpc-trailer-x-left": "3" }],
    ["that fails", "/v1/books:watch", { "grpc-trailer-x-left": "3" }],
    ["of bytes", "/v1/books:download", { "grpc-trailer-x-proof-bin": "AP8=" }],
  ])("follow a stream %s, for a client that accepts them", async (_, path, trailers) => {
    const answer = await get(path, "trailers");
    expect(answer.status).toBe(200);
    expect(answer.trailers).toEqual(trailers);
    expect((await get(path)).trailers).toEqual({});
  });

  test.each(["/v1/books/a", "/v1/books:watch?count=1"])("are trailers on HTTP/2: %s", async (path) => {
    await using http2 = createHttp2Server(createHttpHandler({ specs: [spec] }));
    await new Promise<void>((resolve) => http2.listen(0, "127.0.0.1", resolve));
    const session = connect(`http://127.0.0.1:${(http2.address() as AddressInfo).port}`);
    try {
      const stream = session.request({ ":path": path, te: "trailers" });
      const trailers = new Promise<Record<string, unknown>>((resolve) => stream.on("trailers", resolve));
      stream.resume();
      expect({ ...(await trailers) }).toMatchObject({ "grpc-trailer-x-left": "3" });
    } finally {
      session.close();
    }
  });
});
