import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createServiceImplSpec, type ServiceImpl } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "@jest/globals";
import { createRequestMeter } from "../../../gateway/http/limits/request-meter.ts";
import { defaultServerLimits, type ServerLimits } from "../../../gateway/http/limits/server-limits.ts";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.js";
import { ProbeSchema, ProbeService } from "../call/testing/probe-service.ts";
import { reasonOf } from "../errors.ts";
import { deadlineInterceptor } from "../interceptors/deadline.ts";
import { createLogger } from "../telemetry/log.ts";
import { until } from "../testing/until.ts";
import { createGrpcServer } from "./server.ts";
import { createGrpcTransport } from "./transport.ts";

let open = new AsyncDisposableStack();
afterEach(async () => {
  await open.disposeAsync();
  open = new AsyncDisposableStack();
});

const maxRequestBytes = 64 * 1024;

async function serve(
  changes: Partial<ServerLimits>,
  implementation: Partial<ServiceImpl<typeof ProbeService>> = {},
  maxConnectionAgeMs?: number,
) {
  const limits = { ...defaultServerLimits, ...changes };
  const meter = createRequestMeter(limits);
  const lines: string[] = [];
  const server = createGrpcServer({
    specs: [
      createServiceImplSpec<typeof ProbeService>(ProbeService, {
        ask: () => ({ text: "fine" }),
        collect: async (probes) => ({ text: `${(await Array.fromAsync(probes)).length}` }),
        ...implementation,
      }),
    ],
    interceptors: [deadlineInterceptor],
    log: createLogger({ level: "info", name: "test", destination: { write: (line) => void lines.push(line) } }),
    maxRequestBytes,
    limits,
    meter,
    ...(maxConnectionAgeMs !== undefined && { maxConnectionAgeMs }),
  });
  open.use(server);
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  return { server, port, meter, lines };
}

async function dial(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  open.defer(() => session.destroy());
  await once(session, "remoteSettings");
  return session;
}

/** Begins a call and sends these bytes; the request stays open. */
function begin(session: ClientHttp2Session, method: string, bytes: Buffer, headers: IncomingHttpHeaders = {}) {
  const stream = session.request(
    {
      ":method": "POST",
      ":path": `/docket.testing.v1.ProbeService/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    },
    { endStream: false },
  );
  stream.on("error", () => {}).resume();
  stream.write(bytes);
  return stream;
}

/** How a call ended: its code and reason, or the code of the reset stream. */
function outcomeOf(stream: ClientHttp2Stream): Promise<{ code: number | undefined; reason?: string | undefined }> {
  let last: IncomingHttpHeaders = {};
  stream.on("response", (headers) => {
    last = headers;
  });
  stream.on("trailers", (headers) => {
    last = headers;
  });
  return new Promise((resolve) =>
    stream.once("close", () => {
      const status = last["grpc-status"];
      if (status === undefined) {
        resolve({ code: undefined, reason: `RST ${stream.rstCode}` });
        return;
      }
      const details = last["grpc-status-details-bin"];
      const info =
        details === undefined
          ? undefined
          : fromBinary(StatusSchema, Buffer.from(String(details), "base64")).details.find(({ typeUrl }) =>
              typeUrl.endsWith("ErrorInfo"),
            );
      resolve({ code: Number(status), reason: info && fromBinary(ErrorInfoSchema, info.value).reason });
    }),
  );
}

function frame(message: Buffer, length = message.length, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

const probeOf = (bytes: number): Buffer => {
  const overhead = toBinary(ProbeSchema, create(ProbeSchema, { payload: new Uint8Array(bytes) })).length - bytes;
  return Buffer.from(toBinary(ProbeSchema, create(ProbeSchema, { payload: new Uint8Array(bytes - overhead) })));
};

describe("the limit of a message", () => {
  test("is the configured one to the byte, with details, before the message has arrived", async () => {
    const { port } = await serve({});
    const session = await dial(port);
    const fits = begin(session, "Ask", frame(probeOf(maxRequestBytes)));
    fits.end();
    expect((await outcomeOf(fits)).code).toBe(0);
    const head = begin(session, "Ask", frame(Buffer.alloc(0), maxRequestBytes + 1));
    expect(await outcomeOf(head)).toEqual({ code: Code.ResourceExhausted, reason: "MESSAGE_TOO_LARGE" });
  });

  test("is the configured one to the byte for what is decompressed", async () => {
    const { port } = await serve({});
    const session = await dial(port);
    const send = (bytes: number) => {
      const stream = begin(session, "Ask", frame(gzipSync(probeOf(bytes)), undefined, 1), { "grpc-encoding": "gzip" });
      stream.end();
      return outcomeOf(stream);
    };
    expect((await send(maxRequestBytes)).code).toBe(0);
    expect((await send(maxRequestBytes + 1)).code).toBe(Code.ResourceExhausted);
  });
});

describe("unfinished messages", () => {
  test("that stop are ended, and what they held is given back", async () => {
    const { port, meter, server, lines } = await serve({ rateWindowMs: 200 });
    const session = await dial(port);
    const stopped = begin(session, "Ask", frame(Buffer.alloc(1000), 60_000));
    const ended = outcomeOf(stopped);
    await until(() => meter.heldBytes === 1000);
    expect(await ended).toEqual({ code: Code.DeadlineExceeded, reason: "REQUEST_TOO_SLOW" });
    expect(await outcomeOf(begin(session, "Follow", Buffer.alloc(0)))).toMatchObject({ code: Code.DeadlineExceeded });
    expect(meter.heldBytes).toBe(0);
    await until(() => server.callsInFlight === 0);
    expect(lines.map((line) => JSON.parse(line) as object)).toContainEqual(
      expect.objectContaining({ client_address: "127.0.0.1", rpc: "docket.testing.v1.ProbeService/Ask" }),
    );
  });

  test("of a stream of messages may rest", async () => {
    const { port } = await serve({ rateWindowMs: 100 });
    const session = await dial(port);
    const resting = begin(session, "Collect", frame(Buffer.alloc(0)));
    await outcomeOf(begin(session, "Ask", Buffer.alloc(0)));
    resting.end(frame(Buffer.alloc(0)));
    expect(await outcomeOf(resting)).toMatchObject({ code: 0 });
  });

  test("hold no more bytes on a connection than allowed, and none when they are whole", async () => {
    const { port, meter } = await serve({ bufferedBytesPerConnection: 100_000 });
    const session = await dial(port);
    const whole = begin(session, "Collect", Buffer.concat([1, 2, 3, 4].map(() => frame(probeOf(40_000)))));
    whole.end();
    expect(await outcomeOf(whole)).toMatchObject({ code: 0 });
    const first = begin(session, "Collect", frame(Buffer.alloc(60_000), 65_000));
    await until(() => meter.heldBytes === 60_000);
    const second = begin(session, "Ask", frame(Buffer.alloc(60_000), 65_000));
    expect(await outcomeOf(second)).toEqual({ code: Code.Unavailable, reason: "SERVER_BUSY" });
    expect(meter.heldBytes).toBe(60_000);
    const other = begin(await dial(port), "Ask", frame(Buffer.alloc(60_000), 65_000));
    await until(() => meter.heldBytes === 120_000);
    first.close(constants.NGHTTP2_CANCEL);
    other.close(constants.NGHTTP2_CANCEL);
    await until(() => meter.heldBytes === 0);
  });
});

describe("open calls", () => {
  test("are limited for one connection", async () => {
    const { port, server } = await serve({ streamsPerConnection: 3 });
    const session = await dial(port);
    expect(session.remoteSettings.maxConcurrentStreams).toBe(3);
    const calls = Array.from({ length: 10 }, () => begin(session, "Collect", Buffer.alloc(0)));
    await until(() => server.callsInFlight === 3);
    for (const call of calls) call.close(constants.NGHTTP2_CANCEL);
    await until(() => server.callsInFlight === 0);
  });

  test("are limited for all connections of an address; a call that ends makes room", async () => {
    const { port } = await serve({ streamsPerAddress: 2 });
    const held = [
      begin(await dial(port), "Collect", Buffer.alloc(0)),
      begin(await dial(port), "Collect", Buffer.alloc(0)),
    ];
    const session = await dial(port);
    const ask = () => {
      const stream = begin(session, "Ask", frame(Buffer.alloc(0)));
      stream.end();
      return outcomeOf(stream);
    };
    await until(async () => (await ask()).reason === "SERVER_BUSY");
    for (const stream of held) stream.close(constants.NGHTTP2_CANCEL);
    await until(async () => (await ask()).code === 0);
  });

  test("in which no message moves are ended with a status", async () => {
    const { port } = await serve(
      { idleMs: 200 },
      {
        async *follow(_, { signal }) {
          yield { text: "one" };
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      },
    );
    const { transport, ...connection } = createGrpcTransport({ address: `127.0.0.1:${port}` });
    open.use(connection);
    const read = async () => {
      for await (const _ of createClient(ProbeService, transport).follow({}));
    };
    const error = await read().then(() => undefined, ConnectError.from);
    expect(error?.code).toBe(Code.Unavailable);
    expect(reasonOf(error)).toBe("STREAM_IDLE");
  });
});

test("a stream whose client takes nothing is reset, and its handler ends", async () => {
  const { promise: whenEnded, resolve: end } = Promise.withResolvers<void>();
  const { port } = await serve(
    { stallMs: 300 },
    {
      follow: async function* () {
        try {
          for (;;) yield { text: "x".repeat(50_000) };
        } finally {
          end();
        }
      },
    },
  );
  const stream = begin(await dial(port), "Follow", frame(Buffer.alloc(0)));
  stream.pause().end();
  await whenEnded;
});

describe("a refused call whose client goes on sending", () => {
  test.each([
    ["of an unknown method", "Nothing", 12],
    ["of a handler that refuses it", "Collect", 7],
  ])("is reset: %s", async (_, method, code) => {
    const { port } = await serve(
      {},
      {
        collect: async () => {
          throw new ConnectError("no", Code.PermissionDenied);
        },
      },
    );
    const stream = begin(await dial(port), method, frame(Buffer.alloc(10)));
    const outcome = outcomeOf(stream);
    const timer = setInterval(() => stream.writable && stream.write(frame(Buffer.alloc(10))), 20);
    expect(await outcome).toEqual({ code });
    clearInterval(timer);
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });
});

describe("connections", () => {
  test("beyond the limit per address are closed at once", async () => {
    const { port } = await serve({ connectionsPerAddress: 1 });
    await dial(port);
    const second = connect(`http://127.0.0.1:${port}`);
    second.on("error", () => {});
    await new Promise((resolve) => second.once("close", resolve));
  });

  test("of a certain age receive GOAWAY, and calls on them may end", async () => {
    let release = () => {};
    const { port } = await serve(
      {},
      {
        ask: () =>
          new Promise((resolve) => {
            release = () => resolve({});
          }),
      },
      300,
    );
    const session = await dial(port);
    const call = begin(session, "Ask", frame(Buffer.alloc(0)));
    call.end();
    const ended = outcomeOf(call);
    await once(session, "goaway");
    release();
    expect((await ended).code).toBe(0);
  });
});
