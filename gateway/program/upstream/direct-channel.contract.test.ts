import { once } from "node:events";
import { constants, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { until as eventually } from "../../test/support/start-program.ts";
import { type DirectChannel, openDirectChannel } from "./direct-channel.ts";

const ok = { ":status": 200, "content-type": "application/grpc" };
const message = (text: string): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
};

/** Sends the head and the data, then the trailers. */
function answer(stream: ServerHttp2Stream, data: readonly Buffer[], trailers: Record<string, string>): void {
  stream.respond(ok, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  for (const each of data) stream.write(each);
  stream.end();
}

/** Server behaviours, by the path of the call. */
const behaviours: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
  "/answer": (stream) => answer(stream, [message("fine")], { "grpc-status": "0" }),
  "/split": (stream) => {
    const bytes = message("fine");
    answer(stream, [bytes.subarray(0, 3), bytes.subarray(3, 7), bytes.subarray(7)], { "grpc-status": "0" });
  },
  "/empty-message": (stream) => answer(stream, [message("")], { "grpc-status": "0" }),
  "/no-message": (stream) => answer(stream, [], { "grpc-status": "0" }),
  "/two-messages": (stream) => answer(stream, [message("a"), message("b")], { "grpc-status": "0" }),
  "/refuse": (stream) =>
    answer(stream, [], { "grpc-status": "9", "grpc-message": "not %C3%A4 now", "x-why": "because" }),
  "/refuse-at-once": (stream) =>
    stream.respond({ ...ok, "grpc-status": "5", "grpc-message": "gone" }, { endStream: true }),
  "/message-and-error": (stream) => answer(stream, [message("half")], { "grpc-status": "15", "grpc-message": "lost" }),
  "/http-404": (stream) => stream.respond({ ":status": 404 }, { endStream: true }),
  "/http-503": (stream) => stream.respond({ ":status": 503 }, { endStream: true }),
  "/reset-internal": (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
  "/reset-calm": (stream) => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM),
  "/reset-after-head": (stream) => {
    stream.respond(ok);
    stream.write(message("fine"));
    setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 20);
  },
  "/drop": (stream) => stream.session?.destroy(),
  "/hang": () => undefined,
};

describe("calls over a direct channel", () => {
  let server: Http2Server;
  let address: string;
  let channel: DirectChannel;
  let client: Client;
  const sessions = new Set<ServerHttp2Session>();
  const seen: { path: string; headers: Record<string, unknown>; body: string; cancelled: boolean }[] = [];
  const refusedPaths = new Set<string>();

  beforeAll(async () => {
    server = createServer();
    server.on("session", (session) => {
      sessions.add(session);
      session.on("close", () => sessions.delete(session));
      session.on("error", () => undefined);
    });
    server.on("stream", (stream, headers) => {
      const path = String(headers[":path"]);
      const call = { path, headers: { ...headers }, body: "", cancelled: false };
      seen.push(call);
      stream.on("error", () => undefined);
      stream.on("data", (chunk: Buffer) => {
        call.body += chunk.toString("latin1");
      });
      stream.on("close", () => {
        call.cancelled = stream.rstCode === constants.NGHTTP2_CANCEL;
      });
      if (refusedPaths.has(path)) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else behaviours[path]?.(stream);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    channel = openDirectChannel(address);
    client = new Client(address, credentials.createInsecure());
  });
  afterAll(async () => {
    channel[Symbol.dispose]();
    client.close();
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  /** Waits for a session, for at most five seconds. */
  const call = async (path: string, signal = new AbortController().signal, metadata = {}) => {
    for (let tried = 0; tried < 500; tried += 1) {
      const started = channel.call(path, metadata, Buffer.from("hello"), signal, () => undefined);
      if (started !== undefined) return started;
      await sleep(10);
    }
    throw new Error("no session came up");
  };
  const outcomeOf = async (made: Promise<string>) => {
    try {
      return { message: await made };
    } catch (error) {
      const { code, details, metadata } = error as ServiceError;
      return { code, details, why: metadata.get("x-why") };
    }
  };
  const direct = (path: string) => outcomeOf(call(path).then((got) => got?.message.toString() ?? "not taken"));
  const throughGrpcJs = (path: string) =>
    outcomeOf(
      new Promise((resolve, reject) => {
        const pass = (bytes: Buffer) => bytes;
        client.makeUnaryRequest(path, pass, pass, Buffer.from("hello"), new Metadata(), {}, (error, got) =>
          error === null ? resolve(String(got)) : reject(error),
        );
      }),
    );

  test.each(Object.keys(behaviours).filter((path) => !["/two-messages", "/drop", "/hang"].includes(path)))(
    "should have the same outcome as with grpc-js: %s",
    async (path) => {
      expect(await direct(path)).toEqual(await throughGrpcJs(path));
    },
  );

  test("should reject a response of two messages", async () => {
    expect(await direct("/two-messages")).toMatchObject({ code: 12, details: "Too many responses received" });
  });

  test("should send the headers that gRPC requires", async () => {
    await call("/answer", undefined, { authorization: "Bearer x", "grpc-timeout": "5m" });
    expect(seen.at(-1)).toMatchObject({
      path: "/answer",
      headers: {
        ":method": "POST",
        ":scheme": "http",
        ":authority": address,
        te: "trailers",
        "content-type": "application/grpc",
        authorization: "Bearer x",
        "grpc-timeout": "5m",
      },
      body: "\0\0\0\0\x05hello",
    });
  });

  test("should report a call as unprocessed if the server refused its stream", async () => {
    refusedPaths.add("/answer");
    expect(await direct("/answer")).toEqual({ message: "not taken" });
    refusedPaths.delete("/answer");
    expect(await direct("/answer")).toEqual({ message: "fine" });
  });

  test("should cancel the stream with the signal", async () => {
    const abort = new AbortController();
    const made = call("/hang", abort.signal);
    await sleep(50);
    abort.abort();
    await expect(made).rejects.toMatchObject({ code: 1 });
    await sleep(50);
    expect(seen.at(-1)).toMatchObject({ path: "/hang", cancelled: true });
    await expect(call("/hang", abort.signal)).rejects.toMatchObject({ code: 1 });
  });

  test("should be UNAVAILABLE for a call whose connection drops, accept none while it is down, and reconnect", async () => {
    expect(await direct("/drop")).toMatchObject({ code: 14, details: "Connection dropped" });
    expect(
      channel.call("/answer", {}, Buffer.from("hello"), new AbortController().signal, () => undefined),
    ).toBeUndefined();
    expect(await direct("/answer")).toEqual({ message: "fine" });
  });
});

describe("keepalive of a direct channel", () => {
  const minute = 60_000;

  /** Waits for network events without a timer. */
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
  };

  test("a session with calls is pinged at most once in five minutes, and half as often if that is too much", async () => {
    const sessions: ServerHttp2Session[] = [];
    let pings = 0;
    let calls = 0;
    const server = createServer();
    server.on("session", (session) => {
      sessions.push(session);
      session.on("error", () => undefined);
      session.on("ping", () => {
        pings += 1;
      });
    });
    server.on("stream", (stream, headers) => {
      calls += 1;
      stream.on("error", () => undefined);
      if (headers[":path"] === "/answer") answer(stream, [message("fine")], { "grpc-status": "0" });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick", "queueMicrotask", "performance"] });
    const channel = openDirectChannel(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    const never = new AbortController().signal;
    const call = async (path: string) => {
      let made: ReturnType<DirectChannel["call"]>;
      await until(() => {
        made = channel.call(path, {}, Buffer.from("hello"), never, () => undefined);
        return made !== undefined;
      });
      return { made };
    };
    /** Resolves when all pings sent so far have arrived: the session preserves their order. */
    const pingsSoFar = async () => {
      await (await call("/answer")).made;
      return pings;
    };
    try {
      const hanging = (await call("/hang")).made;
      await until(() => calls === 1);
      jest.advanceTimersByTime(5 * minute);
      expect(await pingsSoFar()).toBe(0);
      jest.advanceTimersByTime(10_000);
      await until(() => pings === 1);
      expect(await pingsSoFar()).toBe(1);

      sessions[0]?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from("too_many_pings"));
      await expect(hanging).rejects.toMatchObject({ code: 14, details: "Connection dropped" });
      jest.advanceTimersByTime(1000);
      const other = (await call("/hang")).made;
      other?.catch(() => undefined);
      jest.advanceTimersByTime(10 * minute);
      expect(await pingsSoFar()).toBe(1);
      jest.advanceTimersByTime(20_000);
      await until(() => pings === 2);
    } finally {
      jest.useRealTimers();
      channel[Symbol.dispose]();
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

test("a channel opens further connections when a server's limit of concurrent calls is reached", async () => {
  const server = createServer({ settings: { maxConcurrentStreams: 2 } });
  const sessions: ServerHttp2Session[] = [];
  const streams: ServerHttp2Stream[] = [];
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    streams.push(stream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const channel = openDirectChannel(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  const open = async (): Promise<void> => {
    let stream: ReturnType<DirectChannel["open"]>;
    await eventually(() => {
      stream = channel.open("/hang", {});
      return stream !== undefined;
    });
    stream?.on("error", () => undefined);
  };
  try {
    await open();
    await eventually(() => streams.length === 1);
    for (let call = 2; call <= 5; call += 1) {
      await open();
      await eventually(() => streams.length === call);
    }
    expect(sessions).toHaveLength(3);
  } finally {
    channel[Symbol.dispose]();
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});
