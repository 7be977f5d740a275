import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createHttpHandler } from "../../http-handler.ts";
import { mutateBinary } from "../fuzz/mutate-binary.ts";
import { createRandom } from "../fuzz/random.ts";
import { anySpec } from "../support/any-spec.ts";
import { rawRequest } from "../support/raw-request.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { testRegistry, testService } from "../support/test-api.ts";

const rpc = "POST /gateway.test.v1.Library/GetBook";
const json = "Content-Type: application/json\r\nContent-Length: 2\r\n";

/**
 * Sends raw bytes and returns everything received until the server closes. A client that ends its side at once may miss
 * a delayed response, because it counts as disconnected.
 */
async function exchange(url: string, bytes: string | Buffer, endsAt: "once" | "answer" = "once"): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (endsAt === "once") socket.end(bytes);
  else {
    socket.once("data", () => socket.end());
    socket.write(bytes);
  }
  await once(socket, "close");
  return Buffer.concat(chunks).toString("latin1");
}

describe("odd or malformed HTTP", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startServerProcess("any");
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test.each([
    [
      "a Host that is none, on Connect",
      `${rpc} HTTP/1.1\r\nHost: a b c\r\nContent-Encoding: gzip\r\n${json}\r\n{}`,
      400,
    ],
    [
      "a Host that is none, on gRPC-Web",
      `${rpc} HTTP/1.1\r\nHost: [::1\r\nContent-Type: application/grpc-web-text\r\n\r\n`,
      400,
    ],
    ["no Host, for HTTP/1.0", `${rpc} HTTP/1.0\r\n${json}\r\n{}`, 200],
    ["no Host and what connect-node serves", `${rpc} HTTP/1.0\r\nContent-Encoding: gzip\r\n${json}\r\n{}`, 400],
    ["an absolute target", "GET http://x.example/v1/books/b?x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400],
    ["an absolute target", "GET http://x.example/v1/books/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200],
    [
      "an absolute target of an RPC",
      `${rpc.replace(" /", " HTTPS://x/")} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${json}\r\n{}`,
      200,
    ],
    ["an absolute target without a path", "GET http://x.example HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404],
    ["a target that is none", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404],
    ["5,000 headers", `GET /v1/books/b HTTP/1.1\r\nHost: x\r\n${"a: b\r\n".repeat(5000)}\r\n`, 431],
    ["a path of 20,000 characters", `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ["two lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400],
    [
      "a length and chunks",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
      400,
    ],
    [
      "a chunk that is none",
      "POST /v1/books:import HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
      400,
    ],
    ["the beginning of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ])("%s: %j is %d", async (_, bytes, status) => {
    expect(await exchange(server.url, bytes, "answer")).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(await server.errors()).toEqual([]);
  });

  test("an offer of HTTP/2, which Java's client makes with every request, is ignored, also with a body", async () => {
    const offer =
      "Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    for (const head of ["GET /v1/books/b HTTP/1.1\r\n", `POST /echo HTTP/1.1\r\n${json}`]) {
      const answer = await exchange(server.url, `${head}${offer}\r\n${head.startsWith("POST") ? "{}" : ""}`);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    }
  });

  test.each([1, 2])(
    "1,000 heads and bodies with mutated bytes get a response, or are closed, and do not crash the server (seed %d)",
    async (seed) => {
      const random = createRandom(seed);
      const valid = [
        "GET /v1/books/b?x=y HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
        'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"stringField":"a"}',
        "POST /v1/books:import HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        `${rpc} HTTP/1.1\r\nHost: x\r\n${json}\r\n{}`,
      ].map((text) => Buffer.from(text, "latin1"));
      for (let round = 0; round < 20; round += 1) {
        const requests = Array.from({ length: 50 }, () => {
          let bytes: Uint8Array = random.pick(valid) ?? Buffer.alloc(1);
          for (let times = random.below(4); times >= 0; times -= 1) bytes = mutateBinary(random, bytes);
          return Buffer.from(bytes);
        });
        const answers = await Promise.all(requests.map((bytes) => exchange(server.url, bytes)));
        for (const answer of answers) expect(answer).toMatch(/^($|HTTP\/1\.1 (?!500|502|503))/);
      }
      expect(await server.errors()).toEqual([]);
      expect((await rawRequest(server.url, "/v1/books/b")).status).toBe(200);
    },
  );
});

test("10,000 query parameters are bound, or rejected with 100 violations, if the listener accepts them", async () => {
  const handler = createHttpHandler({ specs: [anySpec(testService("Echo"))], registry: testRegistry });
  const server = createServer({ maxHeaderSize: 1024 * 1024 }, handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const get = (query: string) =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const outgoing = httpRequest({ port, path: `/echo?${query}`, agent: false }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on("end", () => resolve({ status: response.statusCode, text }));
      });
      outgoing.on("error", reject);
      outgoing.end();
    });
  const bound = await get("repeated_int32=1&".repeat(10_000));
  expect(bound.status).toBe(200);
  expect((JSON.parse(bound.text) as { repeatedInt32: number[] }).repeatedInt32).toHaveLength(10_000);
  const refused = await get(Array.from({ length: 10_000 }, (_, at) => `k${at}=1`).join("&"));
  expect(refused.status).toBe(400);
  const { details } = JSON.parse(refused.text) as { details: { fieldViolations?: unknown[] }[] };
  expect(details[1]?.fieldViolations).toHaveLength(100);
  await new Promise((resolve) => server.close(resolve));
});
