import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { startProgram, testDescriptorSet, until } from "../../test/support/start-program.ts";
import type { Program } from "../server/serve.ts";

const unary = "/gateway.test.v1.Library/GetBook";
const upload = "/gateway.test.v1.Library/ImportBooks";
const download = "/gateway.test.v1.Library/WatchBooks";

/** A message in gRPC's framing. */
const frame = (message: string | Buffer, flags = 0): Buffer => {
  const data = Buffer.from(message);
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(data.length, 1);
  return Buffer.concat([head, data]);
};

describe("gRPC calls forwarded as bytes", () => {
  let upstream: Http2Server;
  let program: Program;
  let session: ClientHttp2Session;
  let folder: string;
  let serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
  let calls: { stream: ServerHttp2Stream; headers: IncomingHttpHeaders; body: Buffer; isEnded: boolean }[] = [];

  beforeAll(async () => {
    upstream = createServer().listen(0, "127.0.0.1");
    upstream.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      serve(stream, headers);
    });
    await once(upstream, "listening");
    folder = mkdtempSync(join(tmpdir(), "gateway-forward-"));
    const config = join(folder, "gateway.json");
    const limits = { rateWindowMs: 1000, stallMs: 20_000 };
    const cors = { origins: ["https://shop.example"] };
    writeFileSync(config, JSON.stringify({ maxBodyBytes: 100_000, maxTimeoutMs: 60_000, cors, limits }));
    program = await startProgram([
      ...["--descriptor-set", testDescriptorSet, "--no-watch", "--no-health-check", "--config", config],
      ...["--upstream", `127.0.0.1:${(upstream.address() as AddressInfo).port}`],
    ]);
    session = connect(program.url);
    serve = echo;
    // Before the direct channel is open, calls are decoded.
    await until(async () => (await call(unary, {}, frame("text"))).trailers["grpc-status"] === "0");
  });
  afterAll(async () => {
    session.destroy();
    await program[Symbol.asyncDispose]();
    upstream.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    calls = [];
    serve = echo;
  });

  /** Records the call, and sends its body back once it is complete. */
  const echo = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    const seen = { stream, headers, body: Buffer.alloc(0), isEnded: false };
    calls.push(seen);
    stream.on("data", (chunk: Buffer) => {
      seen.body = Buffer.concat([seen.body, chunk]);
    });
    stream.on("end", () => {
      if (stream.aborted) return;
      seen.isEnded = true;
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-last": "1" }));
      const encoding = headers["grpc-encoding"];
      stream.respond(
        { "content-type": "application/grpc", ...(encoding !== undefined && { "grpc-encoding": encoding }) },
        { waitForTrailers: true },
      );
      stream.end(seen.body);
    });
  };
  const open = (path: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream => {
    const type = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };
    const stream = session.request({ ":path": path, ...type, ...headers });
    stream.on("error", () => undefined);
    return stream;
  };
  const outcomeOf = async (stream: ClientHttp2Stream) => {
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders | undefined;
    const chunks: Buffer[] = [];
    stream.on("response", (received) => {
      headers = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    await new Promise((resolve) => stream.on("close", resolve));
    return { headers, trailers: trailers ?? headers, body: Buffer.concat(chunks), rstCode: stream.rstCode };
  };
  const call = (path: string, headers: OutgoingHttpHeaders, ...chunks: Buffer[]) => {
    const stream = open(path, headers);
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
    return outcomeOf(stream);
  };

  test("frames arrive unchanged in both directions, compressed in any encoding, wherever they are split", async () => {
    const bytes = Buffer.concat([frame("\xff\x00", 1), frame(""), frame("plain")]);
    const chunks = Array.from(bytes, (byte) => Buffer.from([byte]));
    const headers = { "grpc-encoding": "zstd", "grpc-accept-encoding": "zstd,br", "user-agent": "mine/1" };
    const outcome = await call(upload, { ...headers, "x-one": ["a", "b, c"], "grpc-timeout": "5S" }, ...chunks);
    expect(calls[0]?.body.equals(bytes)).toBe(true);
    expect(calls[0]?.headers).toMatchObject({ ...headers, te: "trailers", "grpc-timeout": "5S" });
    expect(calls[0]?.headers["x-one"]).toBe("a, b, c");
    expect(outcome.body.equals(bytes)).toBe(true);
    expect(outcome.headers).toMatchObject({ ":status": 200, "content-type": "application/grpc" });
    expect(outcome.headers["grpc-encoding"]).toBe("zstd");
    expect(outcome.trailers).toMatchObject({ "grpc-status": "0", "x-last": "1" });
  });

  test("a response without messages keeps its single block of headers", async () => {
    serve = (stream) =>
      stream.respond(
        { "content-type": "application/grpc", "grpc-status": "5", "grpc-message": "gone%20%25", "x-why": "1" },
        { endStream: true },
      );
    const outcome = await call(unary, {}, frame("x"));
    expect(outcome.trailers).toBe(outcome.headers);
    expect(outcome.headers).toMatchObject({ "grpc-status": "5", "grpc-message": "gone%20%25", "x-why": "1" });
  });

  test("repeated headers and trailers stay apart, and a missing content type is added", async () => {
    serve = (stream) => {
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-two": ["1", "2"] }));
      stream.respond({ "content-type": "application/grpc", "x-two": ["1", "2"] }, { waitForTrailers: true });
      stream.end(frame("x"));
    };
    const stream = open(unary);
    stream.end(frame("x"));
    const received: unknown[] = [];
    stream.on("response", (...all: unknown[]) => received.push(all[2]));
    stream.on("trailers", (...all: unknown[]) => received.push(all[2]));
    await outcomeOf(stream);
    const apart = expect.arrayContaining(["x-two", "1", "2"]);
    expect(received).toEqual([apart, apart]);
    serve = (refused) => refused.respond({ "grpc-status": "5" }, { endStream: true });
    expect((await call(unary, {}, frame("x"))).headers).toMatchObject({ "content-type": "application/grpc" });
  });

  const tooLarge = {
    "grpc-status": "8",
    "grpc-message": encodeURIComponent("the request body is larger than 100000 bytes"),
  };
  test.each([
    [
      "a message over the limit, by its head",
      upload,
      [frame("a"), frame(Buffer.alloc(100_001)).subarray(0, 5)],
      tooLarge,
    ],
    ["an incomplete message", upload, [frame("abc").subarray(0, 7)], { "grpc-status": "3" }],
    ["an incomplete head", upload, [frame("abc").subarray(0, 2)], { "grpc-status": "3" }],
    ["a second message of a unary call", unary, [frame("a"), frame("b")], { "grpc-status": "12" }],
    ["a second message of a server stream", download, [frame("a"), frame("b")], { "grpc-status": "12" }],
    ["a unary call without a message", unary, [], { "grpc-status": "12" }],
    ["a malformed timeout", unary, [frame("a")], { "grpc-status": "3" }, "soon"],
    ["a timeout over the limit", unary, [frame("a")], { "grpc-status": "3" }, "2M"],
  ])("%s is refused, and never completes upstream", async (_, path, chunks, expected, timeout = "") => {
    const outcome = await call(path, timeout === "" ? {} : { "grpc-timeout": timeout }, ...chunks);
    expect(outcome.trailers).toMatchObject(expected);
    await until(() => calls.every(({ stream }) => stream.destroyed));
    expect(calls.filter(({ isEnded }) => isEnded)).toEqual([]);
  });

  test("a message of exactly the limit is forwarded, and so is a stream of many times that", async () => {
    const messages = Array.from({ length: 20 }, () => frame(Buffer.alloc(100_000)));
    const outcome = await call(upload, {}, ...messages);
    expect([outcome.trailers["grpc-status"], outcome.body.length]).toEqual(["0", 20 * 100_005]);
  });

  test("the headers of CORS are added", async () => {
    const outcome = await call(unary, { origin: "https://shop.example" }, frame("x"));
    expect(outcome.headers["access-control-allow-origin"]).toBe("https://shop.example");
    expect(calls[0]?.headers["origin"]).toBeUndefined();
  });

  test("a deadline ends a call that the upstream ignores, and cancels it there", async () => {
    serve = (stream, headers) => {
      calls.push({ stream, headers, body: Buffer.alloc(0), isEnded: false });
      stream.resume();
    };
    const outcome = await call(unary, { "grpc-timeout": "200m" }, frame("x"));
    expect(outcome.trailers).toMatchObject({ "grpc-status": "4" });
    await until(() => calls[0]?.stream.destroyed === true);
    expect(calls[0]?.stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  });

  test("a unary request that arrives too slowly is DEADLINE_EXCEEDED, a stream may pause", async () => {
    const slow = open(unary);
    slow.write(frame("abc").subarray(0, 6));
    const paused = open(upload);
    paused.write(frame("abc").subarray(0, 6));
    expect((await outcomeOf(slow)).trailers["grpc-status"]).toBe("4");
    paused.end(frame("abc").subarray(6));
    expect((await outcomeOf(paused)).trailers["grpc-status"]).toBe("0");
  });

  test("the upstream sends no faster than the client reads, and nothing is lost", async () => {
    const chunk = frame(Buffer.alloc(65_531));
    let sent = 0;
    serve = (stream) => {
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
      const write = (): void => {
        while (sent < 500) {
          sent += 1;
          if (!stream.write(chunk)) {
            stream.once("drain", write);
            return;
          }
        }
        stream.end();
      };
      write();
    };
    const stream = open(download);
    stream.end(frame("x"));
    await once(stream, "response");
    await sleep(500);
    expect(sent).toBeLessThan(50);
    const outcome = await outcomeOf(stream);
    expect([outcome.trailers["grpc-status"], outcome.body.length]).toEqual(["0", 500 * chunk.length]);
  });

  test("the client sends no faster than the upstream reads", async () => {
    const readers: ServerHttp2Stream[] = [];
    serve = (stream) => void readers.push(stream);
    const stream = open(upload);
    let sent = 0;
    const chunk = frame(Buffer.alloc(60_000));
    const write = (): void => {
      while (sent < 60) {
        sent += 1;
        if (!stream.write(chunk)) {
          stream.once("drain", write);
          return;
        }
      }
      stream.end();
    };
    write();
    await sleep(500);
    expect(sent).toBeLessThan(30);
    const [reader] = readers;
    if (reader === undefined) throw new Error("the call did not arrive");
    echo(reader, {});
    const outcome = await outcomeOf(stream);
    expect([outcome.trailers["grpc-status"], outcome.body.length]).toEqual(["0", 60 * chunk.length]);
  });

  test("a call that the upstream refuses unprocessed is refused in the same way", async () => {
    serve = (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM);
    const outcome = await call(unary, {}, frame("x"));
    expect(outcome.rstCode).toBe(constants.NGHTTP2_REFUSED_STREAM);
    expect(outcome.headers).toEqual({});
  });

  test("an early response ends the call while the client is still sending", async () => {
    serve = (stream, headers) => {
      calls.push({ stream, headers, body: Buffer.alloc(0), isEnded: false });
      stream.respond({ "content-type": "application/grpc", "grpc-status": "9" }, { endStream: true });
    };
    const stream = open(upload);
    stream.write(frame("x"));
    expect((await outcomeOf(stream)).trailers["grpc-status"]).toBe("9");
    await until(() => calls[0]?.stream.destroyed === true);
  });

  test("a shutdown ends calls after half of its grace period", async () => {
    const address = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const args = ["--descriptor-set", testDescriptorSet, "--no-watch", "--no-health-check", "--upstream", address];
    const stopping = await startProgram(args);
    const client = connect(stopping.url);
    client.on("error", () => undefined);
    const headers = { ":method": "POST", ":path": download, "content-type": "application/grpc", te: "trailers" };
    serve = (stream) => {
      stream.respond({ "content-type": "application/grpc" });
      stream.write(frame("not Protobuf"));
    };
    let stream: ClientHttp2Stream;
    let first: Buffer | undefined;
    do {
      // Until its direct channel is open, the program decodes the message, and fails.
      stream = client.request(headers);
      stream.end(frame(""));
      [first] = (await Promise.race([once(stream, "data"), once(stream, "end")])) as [Buffer | undefined];
    } while (first === undefined);
    const ended = outcomeOf(stream);
    await stopping[Symbol.asyncDispose]();
    expect((await ended).trailers).toMatchObject({ "grpc-status": "1" });
    client.destroy();
  });

  test.each([
    [
      "is not gRPC",
      (stream: ServerHttp2Stream) => stream.respond({ ":status": 503, "content-type": "text/html" }),
      "14",
    ],
    ["is not found", (stream: ServerHttp2Stream) => stream.respond({ ":status": 404 }, { endStream: true }), "12"],
    [
      "breaks off",
      (stream: ServerHttp2Stream) => {
        stream.respond({ "content-type": "application/grpc" });
        stream.write(frame("x"));
        setTimeout(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR), 50);
      },
      "13",
    ],
    ["loses its connection", (stream: ServerHttp2Stream) => stream.session?.destroy(), "14"],
  ])("an upstream that %s is an error without its text", async (_, respond, status) => {
    serve = respond;
    const { trailers } = await call(unary, {}, frame("x"));
    expect(trailers["grpc-status"]).toBe(status);
    expect(decodeURIComponent(String(trailers["grpc-message"]))).toMatch(
      /^the upstream |^Received HTTP status code 404$/,
    );
    serve = echo;
    await until(async () => (await call(unary, {}, frame("text"))).trailers["grpc-status"] === "0");
  });
});

describe("with maxElements", () => {
  test("gRPC messages are decoded, to count their elements", async () => {
    const upstream = createServer().listen(0, "127.0.0.1");
    await once(upstream, "listening");
    const folder = mkdtempSync(join(tmpdir(), "gateway-elements-"));
    const config = join(folder, "gateway.json");
    writeFileSync(config, JSON.stringify({ maxElements: 10 }));
    const address = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    await using program = await startProgram([
      ...["--descriptor-set", testDescriptorSet, "--no-watch", "--no-health-check", "--config", config],
      ...["--upstream", address],
    ]);
    const session = connect(program.url);
    // MetadataRequest.names, eleven times.
    const names = Buffer.from("\x0a\x01a".repeat(11));
    const type = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };
    const stream = session.request({ ":path": "/gateway.test.v1.Echo/Metadata", ...type });
    stream.end(frame(names));
    const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
    expect(headers["grpc-status"]).toBe("8");
    session.destroy();
    upstream.close();
    rmSync(folder, { recursive: true });
  });
});
