import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, test } from "@jest/globals";
import { createHttpHandler } from "../../http-handler.ts";
import { createAuthority } from "../../test/support/certificates.ts";
import { rawRequest } from "../../test/support/raw-request.ts";
import { until } from "../../test/support/start-program.ts";
import { echoMethods, libraryMethods, type Methods, testRegistry, testSpec } from "../../test/support/test-api.ts";
import { parseNetworks } from "../client-address.ts";
import { createRequestMeter } from "../limits/request-meter.ts";
import { defaultServerLimits, type ServerLimits } from "../limits/server-limits.ts";
import type { RefusedConnections } from "./connections.ts";
import { type HttpListener, type HttpListenerOptions, listenHttp } from "./listener.ts";

const opened: { destroy(): void }[] = [];
const listeners: HttpListener[] = [];

afterEach(async () => {
  for (const each of opened.splice(0)) each.destroy();
  for (const listener of listeners.splice(0)) await listener.close(0);
});

async function serve(changes: Partial<ServerLimits>, more: Partial<HttpListenerOptions> = {}, methods: Methods = {}) {
  const limits = { ...defaultServerLimits, ...changes };
  const listener = await listenHttp({ host: "127.0.0.1", port: 0, limits, ...more });
  listeners.push(listener);
  const meter = createRequestMeter(limits);
  const specs = [testSpec("Library", { ...libraryMethods(), ...methods }), testSpec("Echo", echoMethods())];
  listener.serve(createHttpHandler({ specs, registry: testRegistry, meter, stallMs: limits.stallMs }));
  return { listener, meter };
}

/**
 * Opens a connection, and records what it receives. @param allowHalfOpen keeps it open after the server has ended its
 * side.
 */
async function dial(
  port: number,
  text = "",
  allowHalfOpen = false,
): Promise<{ socket: Socket; said: () => string; closed: Promise<unknown> }> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen });
  opened.push(socket);
  let said = "";
  socket
    .on("error", () => undefined)
    .on("data", (chunk: Buffer) => {
      said += chunk.toString("latin1");
    });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await once(socket, "connect");
  socket.write(text);
  return { socket, said: () => said, closed };
}

/** Continues to write to a stream until it is closed. */
function trickle(stream: Duplex, bytes = 1): void {
  const timer = setInterval(() => stream.writable && stream.write(Buffer.alloc(bytes, "x")), 20);
  stream.once("close", () => clearInterval(timer));
}

const head = (path: string, type: string, length: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;

describe("connections", () => {
  test("beyond the limit per address are closed immediately and reported; closing one makes room for another", async () => {
    const refused: RefusedConnections[] = [];
    const { listener } = await serve({ connectionsPerAddress: 2 }, { onRefused: (each) => refused.push(each) });
    const first = await dial(listener.port);
    await dial(listener.port);
    await (await dial(listener.port)).closed;
    expect(refused).toEqual([{ count: 1, address: "127.0.0.1", limit: "connectionsPerAddress" }]);
    first.socket.destroy();
    await until(async () => (await rawRequest(listener.url, "/v1/books/b").catch(() => undefined))?.status === 200);
  });

  test("of a trusted proxy count only towards the total limit", async () => {
    const trustedProxies = parseNetworks(["127.0.0.0/8"]);
    const { listener } = await serve({ connectionsPerAddress: 1, connections: 3 }, { trustedProxies });
    await dial(listener.port);
    await dial(listener.port);
    expect((await rawRequest(listener.url, "/v1/books/b")).status).toBe(200);
    await dial(listener.port);
    await until(async () => (await rawRequest(listener.url, "/v1/books/b").catch(() => undefined)) === undefined);
  });

  test("that are idle during a request are closed", async () => {
    const { listener } = await serve({ idleMs: 200 });
    const { closed, said } = await dial(
      listener.port,
      "GET /v1/books:watch?count=2&pause_ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    await closed;
    expect(said()).not.toContain("\r\n0\r\n");
  });
});

test("a port that closes waits for a stream, whose connection then closes although its head promised to keep it", async () => {
  const { listener } = await serve({});
  const { said, closed } = await dial(
    listener.port,
    "GET /v1/books:watch?count=5&pause_ms=150 HTTP/1.1\r\nHost: x\r\n\r\n",
  );
  await until(() => said().includes("200 OK"));
  const begin = performance.now();
  await listener.close(30_000);
  await closed;
  expect(said().endsWith("\r\n0\r\n\r\n")).toBe(true);
  expect(performance.now() - begin).toBeLessThan(10_000);
});

describe("a body that stops", () => {
  const cases = [
    ["REST", "/echo", "application/json", 408, "REQUEST_TOO_SLOW"],
    ["Connect", "/gateway.test.v1.Echo/EchoBody", "application/json", 504, "deadline_exceeded"],
    [
      "Connect through connect-node",
      "/gateway.test.v1.Echo/EchoBody",
      "application/json; charset=UTF-8",
      504,
      "deadline_exceeded",
    ],
    [
      "a server stream of Connect",
      "/gateway.test.v1.Library/WatchBooks",
      "application/connect+json",
      200,
      "deadline_exceeded",
    ],
    ["gRPC-Web", "/gateway.test.v1.Echo/EchoBody", "application/grpc-web+proto", 200, "grpc-status: 4"],
  ] as const;

  test.each(cases)("is rejected and its connection closed: %s", async (_, path, type, status, said) => {
    const { listener, meter } = await serve({ rateWindowMs: 200 });
    const envelope = type.includes("connect") ? "\0\0\0\x13\x83" : "";
    const body = `${envelope}{"stringField":"${"x".repeat(500)}`;
    const client = await dial(listener.port, head(path, type, 5000) + body);
    await until(() => meter.heldBytes > 0);
    await client.closed;
    expect(client.said()).toContain(`HTTP/1.1 ${status}`);
    expect(client.said()).toContain(said);
    expect(meter.heldBytes).toBe(0);
  });

  test("may pause indefinitely if it is a stream of messages", async () => {
    const { listener } = await serve({ rateWindowMs: 100 });
    const chunked =
      "POST /v1/books:import HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    const client = await dial(listener.port, `${chunked}2\r\n{}\r\n`);
    const slow = await dial(listener.port, `${head("/echo", "application/json", 100)}{`);
    await slow.closed;
    client.socket.write("2\r\n{}\r\n0\r\n\r\n");
    await until(() => client.said().includes('"messageCount":2'));
  });

  test("does not end a call whose body is complete", async () => {
    const { listener } = await serve({ rateWindowMs: 50 });
    const body = Buffer.from("{}");
    const headers = { "content-type": "application/json" };
    const slow = await dial(listener.port, `${head("/echo", "application/json", 100)}{`);
    const answer = rawRequest(listener.url, "/wait?duration=3s", { method: "GET", headers });
    await slow.closed;
    expect((await answer).status).toBe(200);
    expect((await rawRequest(listener.url, "/echo", { method: "POST", headers, body })).status).toBe(200);
  });
});

describe("an HTTP/1 client that is rejected and continues to send", () => {
  const refused = [
    ["an unknown route", "/v1/nothing", "application/json", 404],
    ["a body that is too large", "/echo", "application/json", 413],
    ["an unsupported media type of Connect", "/gateway.test.v1.Echo/EchoBody", "text/plain", 415],
    ["a body that is too large for Connect", "/gateway.test.v1.Echo/EchoBody", "application/proto", 429],
    ["a body that is too large for gRPC-Web", "/gateway.test.v1.Echo/EchoBody", "application/grpc-web", 200],
  ] as const;

  test.each(refused)("gets the error, and its connection is closed: %s", async (_, path, type, status) => {
    const { listener } = await serve({ lingerMs: 200 });
    const client = await dial(listener.port, `${head(path, type, 50_000_000)}x`, true);
    trickle(client.socket);
    await client.closed;
    expect(client.said()).toContain(`HTTP/1.1 ${status}`);
    expect(client.said().toLowerCase()).toContain("\r\nconnection: close\r\n");
  });

  test("gets the error before a handler is set, too", async () => {
    const listener = await listenHttp({
      host: "127.0.0.1",
      port: 0,
      limits: { ...defaultServerLimits, lingerMs: 200 },
    });
    listeners.push(listener);
    const client = await dial(listener.port, `${head("/echo", "application/json", 1000)}x`, true);
    trickle(client.socket);
    await client.closed;
    expect(client.said()).toMatch(/^HTTP\/1.1 503 .*connection: close/is);
  });

  test("gets its response before it has sent everything, and may send only a limited amount more", async () => {
    const { listener } = await serve({ lingerMs: 600_000, lingerBytes: 1_000_000 });
    const client = await dial(listener.port, head("/echo", "application/json", 50_000_000), true);
    const ended = once(client.socket, "end");
    client.socket.write(Buffer.alloc(900_000));
    await ended;
    expect(client.said()).toMatch(/^HTTP\/1.1 413 .*"REQUEST_TOO_LARGE"/s);
    trickle(client.socket, 20_000);
    await client.closed;
  });

  test("is released as soon as it has sent everything", async () => {
    const { listener } = await serve({ lingerMs: 600_000 });
    const client = await dial(listener.port, head("/v1/nothing", "application/json", 3), true);
    await until(() => client.said().includes("404"));
    client.socket.write("abc");
    trickle(client.socket);
    await client.closed;
  });

  test.each([
    ["REST", "/v1/nothing", "application/json", 404],
    ["Connect", "/gateway.test.v1.Echo/EchoBody", "application/json", 400],
    ["Connect, of another media type", "/gateway.test.v1.Echo/EchoBody", "text/plain", 415],
  ])("keeps its connection if the body arrived with the head: %s", async (_, path, type, status) => {
    const { listener } = await serve({ lingerMs: 100 });
    const request = `${head(path, type, 3)}abc`;
    const client = await dial(listener.port, request);
    await until(() => client.said().includes(String(status)));
    client.socket.write(request);
    await until(() => client.said().split(`HTTP/1.1 ${status}`).length === 3);
    expect(client.said().toLowerCase()).not.toContain("connection: close");
  });
});

describe("an HTTP/1 client that waits for 100 Continue", () => {
  const expecting = (path: string, type: string, length: number): string =>
    head(path, type, length).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");

  test.each([
    ["an unknown route", "/v1/nothing", "application/json", 404],
    ["a body that is too large", "/echo", "application/json", 413],
    ["another media type", "/echo", "text/plain", 415],
    ["another encoding of text", "/echo", "application/json; charset=utf-16", 415],
    ["another encoding of a stream", "/v1/books:import", "application/json; charset=utf-16", 415],
    ["an unknown Content-Encoding", "/echo", "application/json\r\nContent-Encoding: zip", 415],
    ["a media type that Connect has not", "/gateway.test.v1.Echo/EchoBody", "text/plain", 415],
    ["a body that is too large for Connect", "/gateway.test.v1.Echo/EchoBody", "application/proto", 429],
  ])("does not get it if its request is rejected by the head: %s", async (_, path, type, status) => {
    const { listener } = await serve({});
    const client = await dial(listener.port, expecting(path, type, 50_000_000));
    await client.closed;
    expect(client.said()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(client.said()).not.toContain("100 Continue");
  });

  test.each([
    ["REST", "/echo", "application/json"],
    ["a stream of REST", "/v1/books:import", "application/json"],
    ["Connect", "/gateway.test.v1.Echo/EchoBody", "application/json"],
    ["Connect through connect-node", "/gateway.test.v1.Echo/EchoBody", "application/json;charset=UTF-8"],
  ])("gets it once, when the body is read: %s", async (_, path, type) => {
    const { listener } = await serve({});
    const client = await dial(listener.port, expecting(path, type, 2));
    await until(() => client.said() === "HTTP/1.1 100 Continue\r\n\r\n");
    client.socket.write("{}");
    await until(() => client.said().includes("HTTP/1.1 200"));
    expect(client.said().split("100 Continue")).toHaveLength(2);
  });
});

describe("an ambiguous head", () => {
  const post = "POST /echo HTTP/1.1\r\nContent-Type: application/json\r\n";
  const rpc = "POST /gateway.test.v1.Echo/EchoBody HTTP/1.1\r\nContent-Type: application/proto\r\n";
  test.each([
    ["two hosts", `${post}Host: a\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}`, 400, "host"],
    ["two hosts of RPC", `${rpc}Host: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n`, 400, ""],
    [
      "two content types",
      `${post}Host: a\r\ncontent-type: text/csv\r\nContent-Length: 2\r\n\r\n{}`,
      400,
      "content-type",
    ],
    ["two lengths", `${post}Host: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}`, 400, ""],
    [
      "two keys",
      `${post}Host: a\r\nAuthorization: a\r\nAuthorization: b\r\nContent-Length: 0\r\n\r\n`,
      400,
      "authorization",
    ],
    [
      "two idempotency keys",
      `${post}Host: a\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 0\r\n\r\n`,
      400,
      "idempotency-key",
    ],
    [
      "a transfer coding",
      `${post}Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      501,
      "chunked",
    ],
  ])("is refused: %s", async (_, request, status, named) => {
    const { listener } = await serve({});
    const client = await dial(listener.port, request);
    await until(() => client.said().includes("\r\n\r\n"));
    expect(client.said()).toMatch(new RegExp(`^HTTP/1.1 ${status} .*${named}`, "s"));
  });

  test("does not include repeated headers that may repeat", async () => {
    const { listener } = await serve({});
    const client = await dial(
      listener.port,
      `${post}Host: a\r\nAccept: a/b\r\nAccept: c/d\r\nCookie: a=b\r\nCookie: c=d\r\nContent-Length: 2\r\n\r\n{}`,
    );
    await until(() => client.said().includes("HTTP/1.1 200"));
  });
});

describe("unfinished bodies", () => {
  test.each([
    ["REST", "/echo", "application/json", "SERVER_BUSY"],
    ["Connect", "/gateway.test.v1.Echo/EchoBody", "application/proto", "unavailable"],
    ["gRPC-Web", "/gateway.test.v1.Echo/EchoBody", "application/grpc-web", "grpc-status: 14"],
  ])("that exceed the memory limit of the process are rejected as retryable: %s", async (_, path, type, said) => {
    const { listener, meter } = await serve({ bufferedBytes: 100_000 });
    const body = "x".repeat(60_000);
    const first = await dial(listener.port, head(path, type, 200_000) + body);
    await until(() => meter.heldBytes === 60_000);
    const second = await dial(listener.port, head(path, type, 200_000) + body);
    await second.closed;
    expect(second.said()).toContain(said);
    expect(meter.heldBytes).toBe(60_000);
    first.socket.destroy();
    await until(() => meter.heldBytes === 0);
  });
});

describe("unfinished messages of streams", () => {
  const part = "x".repeat(60_000);
  const enveloped = (type: string): string =>
    `${head("/gateway.test.v1.Library/ImportBooks", type, 200_000)}\0\0\x01\0\0${part}`;
  const webSocket =
    "GET /v1/books:import HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  // A text message of 65,536 bytes.
  const frame = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]).toString("latin1");

  test.each([
    ["NDJSON", `${head("/v1/books:import", "application/x-ndjson", 200_000)}{"title":"${part}`, "", "SERVER_BUSY"],
    ["Connect", enveloped("application/connect+proto"), "", "unavailable"],
    ["gRPC-Web", enveloped("application/grpc-web+proto"), "", "grpc-status: ?14"],
    ["WebSocket", webSocket, `${frame}${part}`, "try again"],
  ])("count towards the memory limit of the process: %s", async (_, first, then, said) => {
    const { listener, meter } = await serve({ bufferedBytes: 100_000 });
    const open = async () => {
      const client = await dial(listener.port, first);
      if (then !== "") {
        await until(() => client.said().includes("101"));
        client.socket.write(then, "latin1");
      }
      return client;
    };
    const held = await open();
    await until(() => meter.heldBytes >= part.length);
    const second = await open();
    await until(() => new RegExp(said, "i").test(second.said()));
    expect(meter.heldBytes).toBeLessThan(100_000);
    held.socket.destroy();
    second.socket.destroy();
    await until(() => meter.heldBytes === 0);
  });
});

/** Endless streams, and a promise for the end of each. */
function endless() {
  let made = 0;
  const { promise: whenEnded, resolve: end } = Promise.withResolvers<void>();
  async function* messages(message: object) {
    try {
      for (;;) {
        made += 1;
        yield message;
        await new Promise(setImmediate);
      }
    } finally {
      end();
    }
  }
  const methods: Methods = {
    watchBooks: () => messages({ book: { title: "x".repeat(50_000) } }),
    downloadBooks: () => messages({ contentType: "text/csv", data: new Uint8Array(50_000) }),
    listBooks: () => ({ books: Array.from({ length: 1000 }, () => ({ title: "x".repeat(10_000) })) }),
  };
  return { methods, whenEnded, made: () => made };
}

describe("a response that its client does not read", () => {
  const rpc = (type: string, body: string): string =>
    head("/gateway.test.v1.Library/WatchBooks", type, body.length) + body;

  test.each([
    ["NDJSON", "GET /v1/books:watch HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["bytes", "GET /v1/books:download HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["Connect", rpc("application/connect+json", "\0\0\0\0\x02{}")],
    ["gRPC-Web", rpc("application/grpc-web", "\0\0\0\0\0")],
  ])("ends, and so does its implementation, which was suspended meanwhile: %s", async (_, request) => {
    const { methods, whenEnded, made } = endless();
    const { listener } = await serve({ stallMs: 300 }, {}, methods);
    const { socket } = await dial(listener.port);
    socket.pause();
    socket.write(request);
    await whenEnded;
    // The capacity of two sockets' buffers.
    expect(made()).toBeLessThan(1000);
  });

  test("ends on a WebSocket", async () => {
    const { methods, whenEnded } = endless();
    const { listener } = await serve({ stallMs: 300 }, {}, methods);
    const { socket } = await dial(listener.port);
    socket.pause();
    socket.write(
      "GET /v1/books:watch HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    // A text message "{}", masked with zeros, and an empty one.
    socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x7b, 0x7d, 0x81, 0x80, 0, 0, 0, 0]));
    await whenEnded;
  });

  test("ends if it is one large response", async () => {
    const { methods } = endless();
    const { listener } = await serve({ stallMs: 300, connectionsPerAddress: 1 }, {}, methods);
    const { socket } = await dial(listener.port);
    socket.pause();
    socket.write("GET /v1/shelves/1/books HTTP/1.1\r\nHost: x\r\n\r\n");
    // Closing the connection makes room for another.
    await until(async () => (await rawRequest(listener.url, "/v1/books/b").catch(() => undefined))?.status === 200);
  });

  test("does not include a stream without data to read", async () => {
    const { listener } = await serve({ stallMs: 50 });
    const client = await dial(
      listener.port,
      "GET /v1/books:watch?count=2&pause_ms=400 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    await client.closed;
    expect(client.said()).toMatch(/\r\n0\r\n\r\n$/);
  });
});

describe("with a certificate", () => {
  const openTls = async (changes: Partial<ServerLimits>, methods: Methods = {}) => {
    using authority = createAuthority();
    const { cert, key } = authority.issue("front", "IP:127.0.0.1");
    const certificate = { cert: readFileSync(cert), key: readFileSync(key) };
    const { listener } = await serve(changes, { certificate }, methods);
    return { listener, url: listener.url, port: listener.port, ca: readFileSync(authority.ca) };
  };
  test.each(["h2", "http/1.1"])(
    "a connection whose handshake ends after the port began to close is closed: %s",
    async (version) => {
      const { port, ca, listener } = await openTls({});
      const socket = connect({ port, host: "127.0.0.1" });
      opened.push(socket);
      await once(socket, "connect");
      // Accepted, which a later connection shows.
      await dial(port);
      const begin = performance.now();
      const closing = listener.close(20_000);
      const late = connectTls({ socket, ca, ALPNProtocols: [version], servername: "" });
      opened.push(late);
      late.on("error", () => undefined).resume();
      await new Promise((resolve) => late.once("close", resolve));
      for (const each of opened.splice(0)) each.destroy();
      await closing;
      expect(performance.now() - begin).toBeLessThan(10_000);
    },
  );

  const open = async (changes: Partial<ServerLimits>, methods: Methods = {}) => {
    const { url, ca } = await openTls(changes, methods);
    const session: ClientHttp2Session = connectHttp2(url, { ca });
    opened.push(session);
    await once(session, "remoteSettings");
    return session;
  };
  const get = (session: ClientHttp2Session, path: string) => {
    const stream = session.request({ ":path": path });
    stream.on("error", () => undefined).resume();
    return stream;
  };

  /** The close code of a stream. */
  const codeOf = (stream: ClientHttp2Stream) =>
    new Promise((resolve) => stream.once("close", () => resolve(stream.rstCode)));

  test("a connection has a limited number of open requests", async () => {
    const session = await open({ streamsPerConnection: 7 });
    expect(session.remoteSettings.maxConcurrentStreams).toBe(7);
  });

  test("requests beyond the limit of an address are refused as unprocessed, until others have ended", async () => {
    const session = await open({ streamsPerAddress: 2 });
    const held = [1, 2].map(() => get(session, "/wait?duration=60s"));
    const refused = get(session, "/v1/books/b");
    expect(await codeOf(refused)).toBe(constants.NGHTTP2_REFUSED_STREAM);
    for (const stream of held) stream.close(constants.NGHTTP2_CANCEL);
    await until(async () => (await codeOf(get(session, "/v1/books/b"))) === constants.NGHTTP2_NO_ERROR);
  });

  test.each([
    ["REST", "/v1/nothing", "application/json"],
    ["REST, too large", "/echo", "application/json"],
    ["Connect", "/gateway.test.v1.Echo/EchoBody", "text/plain"],
    ["gRPC", "/gateway.test.v1.Nothing/Nothing", "application/grpc"],
  ])("a rejected request that continues to send is reset after its response: %s", async (_, path, type) => {
    const session = await open({});
    const headers = { ":method": "POST", ":path": path, "content-type": type, "content-length": 50_000_000 };
    const stream = session.request(headers);
    stream.on("error", () => undefined).resume();
    trickle(stream);
    const closed = codeOf(stream);
    const [answer] = await once(stream, "response");
    expect(answer[":status"]).toBeGreaterThanOrEqual(400);
    expect(await closed).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test("the connection of an HTTP/1 client that is rejected and continues to send is closed", async () => {
    const { port, ca } = await openTls({ lingerMs: 200 });
    const plain = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const socket = connectTls({ socket: plain, host: "127.0.0.1", ca });
    opened.push(socket);
    socket.on("error", () => undefined).resume();
    await once(socket, "secureConnect");
    socket.write(`${head("/v1/nothing", "application/json", 1000)}x`);
    trickle(socket);
    await new Promise((resolve) => socket.once("close", resolve));
  });

  test.each(["/v1/books:watch", "/v1/books:download"])(
    "a stream whose client reads nothing is reset: %s",
    async (path) => {
      const { methods, whenEnded, made } = endless();
      const session = await open({ stallMs: 300 }, methods);
      session.request({ ":path": path }).on("error", () => undefined);
      await whenEnded;
      expect(made()).toBeLessThan(1000);
    },
  );

  test("a connection that is idle during a request is closed", async () => {
    const session = await open({ idleMs: 200 });
    get(session, "/wait?duration=60s");
    await once(session, "close");
  });
});
