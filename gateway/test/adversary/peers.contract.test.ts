import { once } from "node:events";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { HandlerContext } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { createHttpHandler } from "../../http-handler.ts";
import { rawRequest } from "../support/raw-request.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import {
  echoMethods,
  type Loose,
  libraryMethods,
  startTestServer,
  type TestServer,
  testRegistry,
  testSpec,
} from "../support/test-api.ts";

const mib = 1024 * 1024;
const upgrade =
  "GET /v1/chat/a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** The handshake of a WebSocket that watches books indefinitely, and its one request. */
function watchOverWebSocket(): Buffer {
  const request = Buffer.from('{"count":1000000}');
  const mask = [0, 0, 0, 0];
  const frames = [Buffer.from([0x81, 0x80 | request.length, ...mask]), request, Buffer.from([0x81, 0x80, ...mask])];
  return Buffer.concat([Buffer.from(upgrade.replace("/v1/chat/a", "/v1/books:watch")), ...frames]);
}

const portOf = (url: string): number => Number(new URL(url).port);

async function open(url: string, data: string | Buffer): Promise<Socket> {
  const socket = connect(portOf(url), "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(data);
  return socket;
}

/** Polls until `done` is true; fails after far longer than that can take. */
async function until(done: () => boolean): Promise<void> {
  const last = performance.now() + 20_000;
  while (!done()) {
    if (performance.now() > last) throw new Error("it does not come");
    await sleep(5);
  }
}

/** Waits until a number stops growing, and returns it. */
async function settled(read: () => Promise<number>): Promise<number> {
  for (let last = -1, same = 0; ; await sleep(50)) {
    const now = await read();
    same = now === last ? same + 1 : 0;
    if (same === 6 && now > 0) return now;
    last = now;
  }
}

describe("a peer that stalls", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startServerProcess("library");
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  /** Capacity of the kernel's buffers on both ends, in addition to 1 MiB in the process. */
  const kernel = 12 * mib;
  const connectFrame = (json: string): string => `\0\0\0\0${String.fromCharCode(json.length)}${json}`;
  const rpc = (contentType: string, body: string): string =>
    `POST /gateway.test.v1.Library/WatchBooks HTTP/1.1\r\nHost: x\r\nContent-Type: ${contentType}\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

  test.each([
    ["bytes", "GET /v1/books:download?byte_count=1073741824 HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["NDJSON", "GET /v1/books:watch?count=1000000 HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["SSE", "GET /v1/books:watch?count=1000000 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"],
    ["Connect", rpc("application/connect+json", connectFrame('{"count":1000000}'))],
    ["gRPC-Web", rpc("application/grpc-web+json", connectFrame('{"count":1000000}'))],
    ["a WebSocket", watchOverWebSocket()],
  ])("suspends the implementation while it does not read: %s", async (_, head) => {
    const before = await server.transferred();
    const socket = await open(server.url, head);
    socket.pause();
    const made = await settled(async () => (await server.transferred()).made - before.made);
    expect(made).toBeLessThan(kernel + mib);
    socket.resetAndDestroy();
    // By the time another client has its response, the server has seen the reset and the failed write.
    expect((await rawRequest(server.url, "/v1/books/b")).status).toBe(200);
    expect(await server.errors()).toEqual([]);
  });

  test("suspends the client while the implementation does not read its upload", async () => {
    const head =
      "POST /v1/books:upload HTTP/1.1\r\nHost: x\r\nContent-Type: x/stalled\r\nTransfer-Encoding: chunked\r\n\r\n";
    const socket = await open(server.url, head);
    const chunk = Buffer.alloc(64 * 1024);
    let sent = 0;
    // As fast as the kernel accepts it, up to 256 MiB: a server that continued to read would receive all of it.
    while (sent < 256 * mib) {
      const goesOn = socket.write(Buffer.concat([Buffer.from("10000\r\n"), chunk, Buffer.from("\r\n")]));
      sent += chunk.length;
      if (!goesOn && !(await Promise.race([once(socket, "drain"), sleep(500, false)]))) break;
    }
    expect(sent).toBeLessThan(kernel + mib);
    socket.destroy();
  });

  test("does not block others: 200 that send half a head or half a body", async () => {
    const halves = ["GET /v1/books/b HT", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"];
    const sockets = await Promise.all(Array.from({ length: 200 }, (_, at) => open(server.url, halves[at % 2] ?? "")));
    expect((await rawRequest(server.url, "/v1/books/b")).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});

describe("a client that disconnects", () => {
  let server: TestServer;
  let running = 0;
  let started = 0;
  const errors: unknown[] = [];

  /** Counts the running calls: each must end after its client disconnects. */
  const counted = (methods: ReturnType<typeof echoMethods>, name: string) => {
    const method = methods[name];
    return {
      [name]: (request: Loose, context: HandlerContext) => {
        running += 1;
        started += 1;
        const onAbort = (): void => {
          running -= 1;
        };
        if (context.signal.aborted) onAbort();
        else context.signal.addEventListener("abort", onAbort);
        return method?.(request, context);
      },
    };
  };

  beforeAll(async () => {
    const library = libraryMethods();
    const echo = echoMethods();
    server = await startTestServer({
      specs: [
        testSpec("Library", {
          ...library,
          ...counted(library, "watchBooks"),
          ...counted(library, "downloadBooks"),
          ...counted(library, "uploadBooks"),
          ...counted(library, "importBooks"),
          ...counted(library, "chat"),
        }),
        testSpec("Echo", { ...echo, ...counted(echo, "wait") }),
      ],
      onError: (error) => errors.push(error),
    });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const head = (line: string, headers = ""): string => `${line} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
  const chunked = "Transfer-Encoding: chunked\r\n";
  const phases: [string, string, boolean][] = [
    ["in its head", "GET /v1/bo", false],
    ["within a body", `${head("POST /echo", "Content-Length: 100\r\n")}{`, false],
    ["within a compressed body", `${head("POST /echo", "Content-Length: 100\r\nContent-Encoding: gzip\r\n")}x`, false],
    ["before the answer", head("GET /wait?duration=600s"), true],
    ["within an upload", `${head("POST /v1/books:upload", chunked)}3\r\nabc\r\n`, true],
    ["within a stream of JSON", `${head("POST /v1/books:import", chunked)}d\r\n{"name":"a"}{\r\n`, true],
    ["within a stream of messages", head("GET /v1/books:watch?count=1000000&pause_ms=1"), true],
    ["within a download", head("GET /v1/books:download?byte_count=1073741824"), true],
    ["within a WebSocket", upgrade, true],
    [
      "within a call on Connect",
      `${head("POST /gateway.test.v1.Echo/EchoBody", `${chunked}Content-Type: application/json\r\n`)}1\r\n{\r\n`,
      false,
    ],
    [
      "before the answer on Connect",
      `${head("POST /gateway.test.v1.Echo/Wait", "Content-Length: 19\r\nContent-Type: application/json\r\n")}{"duration":"600s"}`,
      true,
    ],
  ];

  test.each(phases)("ends its call: %s, by closing or by resetting", async (_, data, starts) => {
    errors.length = 0;
    const before = started;
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(server.url, data)));
    if (starts) await until(() => started === before + sockets.length);
    for (const [at, socket] of sockets.entries()) {
      if (at % 2 === 0) socket.destroy();
      else socket.resetAndDestroy();
    }
    await until(() => running === 0);
    expect((await rawRequest(server.url, "/v1/books/b")).status).toBe(200);
    expect(errors).toEqual([]);
  });

  test("during the rejection of its WebSocket", async () => {
    for (const path of ["/nope", "/v1/books/b", "/v1/chat/a"]) {
      const data = upgrade
        .replace("/v1/chat/a", path)
        .replace("dGhlIHNhbXBsZSBub25jZQ==", path === "/v1/chat/a" ? "x" : "$&");
      const sockets = await Promise.all(Array.from({ length: 20 }, () => open(server.url, data)));
      for (const socket of sockets) socket.resetAndDestroy();
    }
    expect((await rawRequest(server.url, "/v1/books/b")).status).toBe(200);
  });

  test("on HTTP/2, with thousands of streams that it opens and resets", async () => {
    errors.length = 0;
    const echo = echoMethods();
    const handler = createHttpHandler({
      specs: [testSpec("Library", libraryMethods()), testSpec("Echo", { ...echo, ...counted(echo, "wait") })],
      registry: testRegistry,
      cors: { origins: "*" },
      onError: (error) => errors.push(error),
    });
    const http2 = createHttp2Server(handler);
    http2.listen(0, "127.0.0.1");
    await once(http2, "listening");
    const url = `http://127.0.0.1:${(http2.address() as AddressInfo).port}`;
    const json = { "content-type": "application/json" };
    const requests: [Record<string, string>, string | undefined][] = [
      [{ ":path": "/wait?duration=600s", origin: "https://x.example" }, undefined],
      [{ ":path": "/v1/books:watch?count=1000000&pause_ms=1" }, undefined],
      [{ ":path": "/v1/books:download?byte_count=1073741824" }, undefined],
      [{ ":path": "/echo", ":method": "POST", ...json }, "{"],
      [{ ":path": "/v1/books:upload", ":method": "POST" }, "abc"],
      [{ ":path": "/gateway.test.v1.Library/GetBook", ":method": "POST", ...json }, "{}"],
      [
        { ":path": "/gateway.test.v1.Library/GetBook", ":method": "POST", "content-type": "application/grpc" },
        "\0\0\0\0\0",
      ],
    ];
    for (const [headers, body] of requests) {
      const client = connectHttp2(url);
      client.on("error", () => undefined);
      for (let at = 0; at < 500; at += 1) {
        const stream = client.request(headers, { endStream: body === undefined });
        stream.on("error", () => undefined);
        if (body !== undefined) stream.write(body);
        if (at % 2 === 0) stream.close(8);
        else setImmediate(() => stream.close(8));
      }
      await sleep(50);
      client.destroy();
    }
    await until(() => running === 0);
    const client = connectHttp2(url);
    const stream = client.request({ ":path": "/v1/books/b" });
    const [answer] = (await once(stream, "response")) as [Record<string, unknown>];
    expect(answer[":status"]).toBe(200);
    client.destroy();
    http2.close();
    expect(errors).toEqual([]);
  });
});

describe("a WebSocket of a hostile client", () => {
  let server: TestServer;
  const errors: unknown[] = [];
  beforeAll(async () => {
    server = await startTestServer({
      onError: (error) => errors.push(error),
      // Authentication takes a moment.
      interceptors: [
        (next) => async (request) => {
          await sleep(30);
          return next(request);
        },
      ],
    });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    expect(errors).toEqual([]);
  });

  const frame = (first: number, ...rest: number[]): Buffer => Buffer.from([first, ...rest]);
  const masked = (first: number, data: Buffer): Buffer =>
    Buffer.concat([frame(first, 0x80 | data.length, 0, 0, 0, 0), data]);

  test.each([
    ["reserved bits", frame(0xff, 0xff, 0xff), 1002],
    ["no mask", frame(0x81, 2, 0x7b, 0x7d), 1002],
    ["an opcode that is none", masked(0x83, Buffer.from("x")), 1002],
    ["a continuation of nothing", masked(0x80, Buffer.from("x")), 1002],
    ["4 GiB announced", frame(0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4), 1009],
    ["text that is not UTF-8", masked(0x81, Buffer.from([0xff, 0xff])), 1007],
    ["bytes that are not UTF-8", masked(0x82, Buffer.from([0xff, 0xff])), 1007],
    ["text that is not JSON", masked(0x81, Buffer.from("{")), 1008],
  ])("is closed with its code after %s", async (_, bytes, code) => {
    const socket = await open(server.url, upgrade);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(socket, "data");
    socket.write(bytes);
    const close = Buffer.from([code >> 8, code & 255]);
    await until(() => Buffer.concat(chunks).includes(close));
    socket.destroy();
    expect((await rawRequest(server.url, "/v1/books/b")).status).toBe(200);
  });

  test.each([
    ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: x"],
    ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 99"],
  ])("is rejected with a google.rpc.Status if %s is %s", async (good, bad) => {
    const socket = await open(server.url, upgrade.replace(good, bad));
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(text.slice(text.indexOf("\r\n\r\n")))).toMatchObject({
      code: 3,
      details: [{ reason: "MALFORMED_HANDSHAKE" }],
    });
  });

  test("loses no early messages while an interceptor is pending", async () => {
    const frames = ['{"text":"a"}', '{"text":"b"}', ""].map((text) => masked(0x81, Buffer.from(text)));
    const socket = await open(server.url, Buffer.concat([Buffer.from(upgrade), ...frames]));
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    await until(() => text.includes("echo b"));
    expect(text).toContain("echo a");
    socket.destroy();
  });

  test("is paused while its messages are not consumed", async () => {
    await using stalled = await startTestServer({
      heartbeatMs: 20,
      specs: [
        testSpec("Library", {
          ...libraryMethods(),
          chat: async function* (_requests: unknown, context: HandlerContext) {
            await once(context.signal, "abort");
            yield {};
          } as never,
        }),
      ],
    });
    const socket = new WebSocket(`${stalled.url.replace("http", "ws")}/v1/chat/a`);
    await once(socket, "open");
    const text = JSON.stringify({ text: "x".repeat(64 * 1024) });
    for (let sent = 0; sent < 64 * mib; sent += text.length) socket.send(text);
    // Data that neither the server nor the kernel accepts stays here.
    await sleep(300);
    expect({ state: socket.readyState, isMost: socket.bufferedAmount > 40 * mib }).toEqual({ state: 1, isMost: true });
    socket.terminate();
  });
});
