import { randomBytes } from "node:crypto";
import { connect, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { createDecodeBudget } from "../../http/limits/decode-budget.ts";
import { createHttpHandler } from "../../http-handler.ts";
import { rawRequest } from "../support/raw-request.ts";
import {
  echoMethods,
  startUnwatchedServer,
  type TestServer,
  testMessage,
  testRegistry,
  testSpec,
} from "../support/test-api.ts";

const maxElements = 1000;
const everything = testMessage("Everything");
const rpc = "/gateway.test.v1.Echo/EchoBody";

const envelopeOf = (message: Uint8Array, flags = 0): Buffer => {
  const head = Buffer.alloc(5, flags);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};

/**
 * Sends a message with a number of list elements. Resolves with whether it was accepted or rejected, or with the
 * response.
 */
type Send = (url: string, count: number) => Promise<string>;

const messageOf = (count: number) => create(everything, { repeatedNested: new Array(count).fill({}) } as never);
const jsonOf = (count: number): Buffer =>
  Buffer.from(toJsonString(everything, messageOf(count), { registry: testRegistry }));
const bytesOf = (count: number): Uint8Array => toBinary(everything, messageOf(count));

const post = async (url: string, path: string, body: Uint8Array, headers: Record<string, string>) => {
  const answer = await rawRequest(url, path, { method: "POST", headers, body });
  return { ...answer, text: answer.body.toString("latin1") };
};

const rest =
  (path: string, bodyOf: (count: number) => Uint8Array, headers: Record<string, string> = {}): Send =>
  async (url, count) => {
    const { status, text } = await post(url, path, bodyOf(count), { "content-type": "application/json", ...headers });
    if (status === 413 && text.includes("TOO_MANY_ELEMENTS")) return "refused";
    return status === 200 ? "taken" : text;
  };

const connectUnary =
  (bodyOf: (count: number) => Uint8Array, headers: Record<string, string>): Send =>
  async (url, count) => {
    const { status, text } = await post(url, rpc, bodyOf(count), headers);
    if (text.includes("resource_exhausted") && text.includes("more than 1000 elements")) return "refused";
    return status === 200 ? "taken" : text;
  };

const grpcWeb =
  (bodyOf: (count: number) => Uint8Array, headers: Record<string, string>): Send =>
  async (url, count) => {
    const { text, headers: head, trailers } = await post(url, rpc, bodyOf(count), headers);
    const status = head["grpc-status"] ?? trailers["grpc-status"] ?? /grpc-status: ?(\d+)/.exec(text)?.[1];
    return status === "0" ? "taken" : status === "8" ? "refused" : `${status} ${text}`;
  };

const books = (count: number): Record<string, unknown> => ({ tags: new Array(count).fill("a") });
const book = testMessage("Book");

const connectStream =
  (bodyOf: (count: number) => Uint8Array, headers: Record<string, string>): Send =>
  async (url, count) => {
    const { text } = await post(url, "/gateway.test.v1.Library/ImportBooks", bodyOf(count), headers);
    if (text.includes("resource_exhausted") && text.includes("more than 1000 elements")) return "refused";
    return text.includes('"error"') ? text : "taken";
  };

const webSocket: Send = (url, count) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/books:import`);
    const texts: string[] = [];
    socket.on("open", () => {
      socket.send(JSON.stringify(books(count)));
      socket.send("");
    });
    socket.on("message", (data: Buffer) => texts.push(data.toString()));
    socket.on("error", reject);
    socket.on("close", () => {
      const last = texts.at(-1) ?? "";
      resolve(last.includes("TOO_MANY_ELEMENTS") ? "refused" : last.includes("error") ? last : "taken");
    });
  });

const bookJson = (count: number): Buffer => Buffer.from(JSON.stringify(books(count)));
const bookBytes = (count: number): Uint8Array => toBinary(book, create(book, books(count) as never));

describe("a message with too many elements is rejected, one at the limit is accepted", () => {
  let server: TestServer;
  const errors: unknown[] = [];

  beforeAll(async () => {
    server = await startUnwatchedServer({ maxElements, onError: (error) => errors.push(error) });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    expect(errors).toEqual([]);
  });

  const gzip = { "content-encoding": "gzip" };
  const json = { "content-type": "application/json" };
  const proto = { "content-type": "application/proto" };
  const web = { "content-type": "application/grpc-web+proto" };
  const stream = { "content-type": "application/connect+proto" };

  test.each<[string, Send]>([
    ["REST", rest("/echo", jsonOf)],
    ["REST, gzip", rest("/echo", (count) => gzipSync(jsonOf(count)), gzip)],
    ["REST, NDJSON", rest("/v1/books:import", bookJson)],
    ["WebSocket", webSocket],
    ["Connect, JSON", connectUnary(jsonOf, json)],
    ["Connect, JSON, gzip", connectUnary((count) => gzipSync(jsonOf(count)), { ...json, ...gzip })],
    ["Connect, Protobuf", connectUnary(bytesOf, proto)],
    ["Connect, Protobuf, on the way of unusual requests", connectUnary(bytesOf, { ...proto, "grpc-encoding": "none" })],
    [
      "Connect, JSON, on the way of unusual requests",
      connectUnary(jsonOf, { "content-type": "application/json;charset=UTF-8" }),
    ],
    [
      "Connect, gzip, on the way of unusual requests",
      connectUnary((count) => gzipSync(jsonOf(count)), { "content-type": "application/json;charset=UTF-8", ...gzip }),
    ],
    ["Connect, stream", connectStream((count) => envelopeOf(bookBytes(count)), stream)],
    [
      "Connect, stream of JSON",
      connectStream((count) => envelopeOf(bookJson(count)), { "content-type": "application/connect+json" }),
    ],
    [
      "Connect, stream, gzip",
      connectStream((count) => envelopeOf(gzipSync(bookBytes(count)), 1), {
        ...stream,
        "connect-content-encoding": "gzip",
      }),
    ],
    ["gRPC-Web", grpcWeb((count) => envelopeOf(bytesOf(count)), web)],
    [
      "gRPC-Web, gzip",
      grpcWeb((count) => envelopeOf(gzipSync(bytesOf(count)), 1), { ...web, "grpc-encoding": "gzip" }),
    ],
    ["gRPC-Web, JSON", grpcWeb((count) => envelopeOf(jsonOf(count)), { "content-type": "application/grpc-web+json" })],
    ["gRPC", grpcWeb((count) => envelopeOf(bytesOf(count)), { "content-type": "application/grpc" })],
  ])("%s", async (_, send) => {
    // JSON has a few more: the message itself, the list and its name.
    expect(await send(server.url, maxElements - 5)).toBe("taken");
    expect(await send(server.url, maxElements + 1)).toBe("refused");
  });
});

describe("a body with an excessive compression ratio", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startUnwatchedServer();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const text = "x".repeat(1024 * 1024);
  const echoed = Buffer.from(JSON.stringify({ stringField: text }));
  const titled = Buffer.from(JSON.stringify({ title: text }));
  const json = { "content-type": "application/json" };

  test.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
  ] as const)("is refused on every way in: %s", async (encoding, compress) => {
    const encoded = { "content-encoding": encoding };
    const whole = await post(server.url, "/echo", compress(echoed), { ...json, ...encoded });
    const streamed = await post(server.url, "/v1/books:import", compress(titled), { ...json, ...encoded });
    const unary = await post(server.url, rpc, compress(echoed), { ...json, ...encoded });
    const stream = await post(server.url, "/gateway.test.v1.Library/ImportBooks", envelopeOf(compress(titled), 1), {
      "content-type": "application/connect+json",
      "connect-content-encoding": encoding,
    });
    const web = await post(server.url, rpc, envelopeOf(compress(echoed), 1), {
      "content-type": "application/grpc-web+json",
      "grpc-encoding": encoding,
    });

    expect(whole).toMatchObject({ status: 413, text: expect.stringContaining("REQUEST_EXPANDS_TOO_FAR") });
    expect(streamed).toMatchObject({ status: 413, text: expect.stringContaining("REQUEST_EXPANDS_TOO_FAR") });
    expect(unary).toMatchObject({ status: 429, text: expect.stringContaining("more than 100 times its size") });
    expect(stream.text).toContain("more than 100 times its size");
    expect(web.text).toContain("grpc-status: 8");
  });

  test("is accepted if it is small", async () => {
    const small = Buffer.from(JSON.stringify({ stringField: "x".repeat(200_000) }));
    const { status } = await post(server.url, "/echo", gzipSync(small), { ...json, "content-encoding": "gzip" });

    expect(status).toBe(200);
  });
});

test("is RESOURCE_EXHAUSTED for gRPC over HTTP/2, which forbids the Connection header of HTTP/1", async () => {
  const server = createHttp2Server(
    createHttpHandler({ specs: [testSpec("Echo", echoMethods())], registry: testRegistry }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stream = session.request({
    ":method": "POST",
    ":path": rpc,
    "content-type": "application/grpc",
    "grpc-encoding": "gzip",
    te: "trailers",
  });
  const large = toBinary(everything, create(everything, { stringField: "x".repeat(1024 * 1024) } as never));
  const status = new Promise((resolve, reject) => {
    stream.on("response", (headers) => headers["grpc-status"] !== undefined && resolve(headers["grpc-status"]));
    stream.on("trailers", (trailers) => resolve(trailers["grpc-status"]));
    stream.on("error", reject);
  });
  stream.resume();
  stream.end(envelopeOf(gzipSync(large), 1));

  try {
    expect(await status).toBe("8");
  } finally {
    session.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

describe("integers of a million digits", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startUnwatchedServer();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const digits = "1".repeat(1_000_000);
  const body = Buffer.from(JSON.stringify({ int64Field: digits }));
  const mapBody = Buffer.from(JSON.stringify({ int64Map: { [digits]: "a" } }));
  const json = { "content-type": "application/json" };
  const form = { "content-type": "application/x-www-form-urlencoded" };

  test("are rejected as such on every wire", async () => {
    const all = await Promise.all([
      post(server.url, "/echo", body, json),
      post(server.url, "/echo", mapBody, json),
      post(server.url, "/echo", Buffer.from(`int64Field=${digits}`), form),
      post(server.url, "/echo", Buffer.from(`int64Map[${digits}]=a`), form),
      post(server.url, rpc, body, json),
      post(server.url, rpc, body, { "content-type": "application/json;charset=UTF-8" }),
    ]);

    for (const { status, text } of all) {
      expect([status, text.slice(0, 2000)]).toEqual([400, expect.stringMatching(/integer/)]);
    }
    const web = await post(server.url, rpc, envelopeOf(body), { "content-type": "application/grpc-web+json" });
    expect(web.text).toContain("grpc-status: 3");
  });
});

describe("bytes that are being decompressed", () => {
  test("are bounded over all requests: a request whose wait times out is 429 with Retry-After", async () => {
    const decodeBudget = createDecodeBudget({ maxBytes: 1024 * 1024, maxWaitMs: 50 });
    await using server = await startUnwatchedServer({ decodeBudget });
    const body = gzipSync(JSON.stringify({ stringField: randomBytes(400_000).toString("base64") }));
    const json = { "content-type": "application/json" };
    const gzip = { ...json, "content-encoding": "gzip" };
    await decodeBudget.reserve(500_000);

    const refused = await post(server.url, "/echo", body, gzip);
    const onConnect = await post(server.url, rpc, body, gzip);
    const plain = await post(server.url, "/echo", Buffer.from("{}"), json);
    decodeBudget.release(500_000);
    const taken = await post(server.url, "/echo", body, gzip);

    expect(refused).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
    expect(onConnect).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
    expect(plain.status).toBe(200);
    expect(taken.status).toBe(200);
  });
});
