import { once } from "node:events";
import { connect, constants, type IncomingHttpHeaders } from "node:http2";
import { deflateSync, gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  createClient,
  createServiceImplSpec,
  encodeBinaryHeader,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { BadRequestSchema, ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "../../../gen/health/v1/health_pb.js";
import { ProbeSchema, ProbeService } from "../call/testing/probe-service.ts";
import { invalidArgument } from "../errors.ts";
import { deadlineInterceptor } from "../interceptors/deadline.ts";
import { createLogger } from "../telemetry/log.ts";
import { until } from "../testing/until.ts";
import { createGrpcServer } from "./server.ts";
import { createGrpcTransport } from "./transport.ts";

const maxElements = 1000;

async function serving(implementation: Partial<ServiceImpl<typeof ProbeService>>, maxRequestBytes = 64 * 1024) {
  const server = createGrpcServer({
    specs: [createServiceImplSpec<typeof ProbeService>(ProbeService, implementation)],
    interceptors: [deadlineInterceptor],
    log: createLogger({ level: "silent", name: "test" }),
    maxRequestBytes,
    maxRequestElements: maxElements,
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const { transport, ...connection } = createGrpcTransport({ address: `127.0.0.1:${port}` });
  return {
    server,
    port,
    transport,
    client: createClient(ProbeService, transport),
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function failureOf(promise: Promise<unknown>): Promise<ConnectError> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConnectError)) {
    throw error;
  }
  return error;
}

/** Posts raw bytes to a method and answers the gRPC status, or the HTTP status of an answer that is not gRPC. */
async function post(port: number, method: string, body: Buffer, headers: Record<string, string> = {}) {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    return await new Promise<string>((resolve, reject) => {
      const stream = session.request({
        ":method": "POST",
        ":path": `/docket.testing.v1.ProbeService/${method}`,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      });
      let status: string | undefined;
      stream.on("response", (answer) => {
        status = answer["grpc-status"]?.toString() ?? `HTTP ${answer[":status"]}`;
      });
      stream.on("trailers", (trailers) => {
        status = trailers["grpc-status"]?.toString();
      });
      stream.on("close", () => resolve(status ?? `RST ${stream.rstCode}`));
      session.on("error", reject);
      stream.on("error", () => {});
      stream.resume();
      stream.end(body);
    });
  } finally {
    session.destroy();
  }
}

function frame(message: Buffer, options: { flag?: number; length?: number } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(options.flag ?? 0, 0);
  prefix.writeUInt32BE(options.length ?? message.length, 1);
  return Buffer.concat([prefix, message]);
}

const status = (code: Code) => String(code);

test("a request that is too large is RESOURCE_EXHAUSTED with details, also far beyond the limit and in a stream", async () => {
  await using served = await serving({ ask: () => ({}), collect: async () => ({}) });
  const { client } = served;
  const error = await failureOf(client.ask({ payload: new Uint8Array(70_000) }));
  expect(error.code).toBe(Code.ResourceExhausted);
  expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("MESSAGE_TOO_LARGE");
  expect((await failureOf(client.ask({ payload: new Uint8Array(1_000_000) }))).code).toBe(Code.ResourceExhausted);
  expect((await client.ask({ payload: new Uint8Array(60_000) })).text).toBe("");
});

test("a request of more elements than allowed is RESOURCE_EXHAUSTED before it is decoded", async () => {
  await using served = await serving({ ask: () => ({}) });
  const unknownFields = (count: number) => frame(Buffer.alloc(2 * count, Buffer.from([0x78, 0x01])));

  expect(await post(served.port, "Ask", unknownFields(maxElements))).toBe("0");
  expect(await post(served.port, "Ask", unknownFields(maxElements + 1))).toBe(status(Code.ResourceExhausted));
});

test("a message that decompresses too far is RESOURCE_EXHAUSTED, and one that is not of its encoding INVALID_ARGUMENT", async () => {
  await using served = await serving({ ask: () => ({}), collect: async () => ({}) }, 16 * 1024 * 1024);
  const padded = (bytes: number) => toBinary(ProbeSchema, create(ProbeSchema, { payload: new Uint8Array(bytes) }));

  for (const [encoding, compress] of [
    ["gzip", gzipSync],
    ["deflate", deflateSync],
  ] as const) {
    const send = (message: Buffer) =>
      post(served.port, "Ask", frame(message, { flag: 1 }), { "grpc-encoding": encoding });
    expect(await send(compress(padded(200_000)))).toBe("0");
    expect(await send(compress(padded(4_000_000)))).toBe(status(Code.ResourceExhausted));
    expect(await send(Buffer.from("neither"))).toBe(status(Code.InvalidArgument));
  }
});

test("malformed frames and messages are refused, never INTERNAL and never a crash", async () => {
  await using served = await serving({
    ask: () => ({ text: "fine" }),
    async collect(probes) {
      for await (const _ of probes);
      return {};
    },
  });
  const { port } = served;
  const badUtf8 = Buffer.from([0x0a, 0x02, 0xc3, 0x28]);
  const cutShort = Buffer.from([0x0a, 0x7f, 0x41]);
  const badWireType = Buffer.from([0x0f, 0x01]);
  expect(await post(port, "Ask", frame(cutShort))).toBe(status(Code.InvalidArgument));
  expect(await post(port, "Ask", frame(badUtf8))).toBe(status(Code.InvalidArgument));
  expect(await post(port, "Ask", frame(badWireType))).toBe(status(Code.InvalidArgument));
  expect(await post(port, "Collect", frame(cutShort))).toBe(status(Code.InvalidArgument));
  expect(await post(port, "Ask", Buffer.alloc(0))).toBe(status(Code.Unimplemented));
  expect(await post(port, "Ask", frame(Buffer.from("abc"), { length: 9_000 }))).toBe(status(Code.Unimplemented));
  expect(await post(port, "Ask", frame(Buffer.alloc(0), { length: 0xffffffff }))).toBe(status(Code.ResourceExhausted));
  expect(await post(port, "Nothing", frame(Buffer.alloc(0)))).toBe(status(Code.Unimplemented));
  expect(await post(port, "Ask", frame(Buffer.alloc(0)), { "content-type": "text/plain" })).toBe("HTTP 415");
  expect(await post(port, "Ask", frame(Buffer.alloc(0)))).toBe("0");
});

/** Calls a method with an empty message and answers the headers and trailers as they came. */
async function blocksOf(port: number, method: string): Promise<IncomingHttpHeaders[]> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": `/docket.testing.v1.ProbeService/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const blocks: IncomingHttpHeaders[] = [];
    stream.on("response", (headers) => blocks.push(headers));
    stream.on("trailers", (trailers) => blocks.push(trailers));
    stream.end(frame(Buffer.alloc(0)));
    stream.resume();
    await once(stream, "close");
    return blocks;
  } finally {
    session.destroy();
  }
}

test("what a handler sets goes out with its answer and with its error, binary values without padding", async () => {
  const set = ({ responseHeader, responseTrailer }: HandlerContext) => {
    responseHeader.set("x-head", "1");
    responseTrailer.set("x-tail-bin", encodeBinaryHeader(new Uint8Array([1])));
  };
  const refuse = (_: unknown, context: HandlerContext): never => {
    set(context);
    throw new ConnectError("no", Code.Aborted, undefined, [{ desc: ErrorInfoSchema, value: { reason: "NO" } }]);
  };
  await using served = await serving({
    ask: refuse,
    async *follow(_, context) {
      yield refuse(_, context);
    },
    async collect(_, context) {
      set(context);
      return {};
    },
  });
  for (const method of ["Ask", "Follow"]) {
    const [head, tail] = await blocksOf(served.port, method);
    expect(head).toMatchObject({ "x-head": "1" });
    expect(tail).toMatchObject({ "x-tail-bin": "AQ", "grpc-status": String(Code.Aborted), "grpc-message": "no" });
    expect(tail?.["grpc-status-details-bin"]).toMatch(/^[A-Za-z0-9+/]+$/);
  }
  const [, tail] = await blocksOf(served.port, "Collect");
  expect(tail).toMatchObject({ "x-tail-bin": "AQ", "grpc-status": "0", "grpc-message": "" });
});

test("an error with more violations than a trailer holds keeps its first ones and its ErrorInfo", async () => {
  await using served = await serving({
    ask() {
      const violations = Array.from({ length: 2_000 }, (_, i) => ({
        field: `lines[${i}].sku`,
        description: "unknown",
      }));
      throw invalidArgument(violations);
    },
  });
  const error = await failureOf(served.client.ask({}));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("INVALID_FIELD");
  const kept = error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
  expect(kept.length).toBeGreaterThan(50);
  expect(kept[0]?.field).toBe("lines[0].sku");
});

test("an error that cannot be written is INTERNAL, and the server goes on serving", async () => {
  const unwritable = new ConnectError("lost", Code.DataLoss);
  Object.defineProperty(unwritable, "details", {
    get() {
      throw new RangeError("Invalid string length");
    },
  });
  const fail = () => {
    throw unwritable;
  };
  await using served = await serving({
    ask: ({ text }) => (text === "fine" ? { text } : fail()),
    collect: async () => fail(),
    async *follow() {
      yield {};
      fail();
    },
    async *converse() {
      yield {};
      fail();
    },
  });
  const { client } = served;
  const all = async (stream: AsyncIterable<unknown>) => {
    for await (const _ of stream);
  };
  const none = (async function* () {})();

  expect((await failureOf(client.ask({}))).code).toBe(Code.Internal);
  expect((await failureOf(client.collect(none))).code).toBe(Code.Internal);
  expect((await failureOf(all(client.follow({})))).code).toBe(Code.Internal);
  expect((await failureOf(all(client.converse(none)))).code).toBe(Code.Internal);
  expect((await client.ask({ text: "fine" })).text).toBe("fine");
});

test("half a character in an error's message does not break the answer", async () => {
  await using served = await serving({
    ask() {
      throw new ConnectError("broken \ud83d text", Code.OutOfRange);
    },
  });
  expect((await failureOf(served.client.ask({}))).rawMessage).toBe("broken � text");
});

test("a stalled reader holds the handler back instead of filling memory", async () => {
  let produced = 0;
  await using served = await serving({
    async *follow() {
      while (produced < 10_000) {
        produced += 1;
        yield { payload: new Uint8Array(16 * 1024) };
      }
    },
  });
  const controller = new AbortController();
  const answers = served.client.follow({}, { signal: controller.signal })[Symbol.asyncIterator]();
  await answers.next();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const whileStalled = produced;
  expect(whileStalled).toBeLessThan(200);
  for (let i = 0; i < 300; i++) {
    await answers.next();
  }
  expect(produced).toBeGreaterThan(whileStalled);
  controller.abort();
  await until(() => served.server.callsInFlight === 0);
});

test("health answers for each service and for the server, and tells watchers of a drain", async () => {
  await using served = await serving({});
  const health = createClient(Health, served.transport);
  const service = "docket.testing.v1.ProbeService";
  expect((await health.check({ service })).status).toBe(ServingStatus.NOT_SERVING);
  served.server.setServing(true);
  expect((await health.check({ service })).status).toBe(ServingStatus.SERVING);
  expect((await health.check({})).status).toBe(ServingStatus.SERVING);
  expect((await failureOf(health.check({ service: "nobody" }))).code).toBe(Code.NotFound);
  expect(Object.keys((await health.list({})).statuses)).toEqual(["", service]);

  const heard: string[] = [];
  const watching = failureOf(
    (async () => {
      for await (const { status } of health.watch({ service })) {
        heard.push(ServingStatus[status]);
      }
    })(),
  );
  const unknown = health.watch({ service: "nobody" })[Symbol.asyncIterator]();
  expect((await unknown.next()).value).toMatchObject({ status: ServingStatus.SERVICE_UNKNOWN });
  await until(() => heard.length === 1);
  served.server.setServing(false);
  await until(() => heard.length === 2);
  expect(heard).toEqual(["SERVING", "NOT_SERVING"]);
  await served.server.close(5_000);
  expect((await watching).code).toBe(Code.Unavailable);
});

test.each([
  ["v1", ServerReflection],
  ["v1alpha", ServerReflectionAlpha],
] as const)("reflection %s lists the services and gives their files with imports and options", async (_, service) => {
  await using served = await serving({});
  const reflection = createClient(service, served.transport);
  const ask = async (messageRequest: {
    case: "listServices" | "fileContainingSymbol" | "fileByFilename";
    value: string;
  }) => {
    for await (const answer of reflection.serverReflectionInfo(one({ messageRequest }))) {
      return answer.messageResponse;
    }
    throw new Error("no answer");
  };
  expect(await ask({ case: "listServices", value: "*" })).toMatchObject({
    value: { service: [{ name: "docket.testing.v1.ProbeService" }, { name: "grpc.health.v1.Health" }] },
  });
  for (const value of [
    "docket.testing.v1.ProbeService",
    "docket.testing.v1.ProbeService.Ask",
    "docket.testing.v1.Probe.text",
  ]) {
    const found = await ask({ case: "fileContainingSymbol", value });
    if (found.case !== "fileDescriptorResponse") {
      throw new Error(`no file for ${value}`);
    }
    const files = found.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    expect(files.map(({ name }) => name)).toEqual([
      "docket/testing/v1/probe.proto",
      "buf/validate/validate.proto",
      "google/protobuf/descriptor.proto",
      "google/protobuf/duration.proto",
      "google/protobuf/field_mask.proto",
      "google/protobuf/timestamp.proto",
      "docket/options/v1/options.proto",
    ]);
    const options = files[0]?.service[0]?.method[0]?.options;
    expect(options && toBinary(MethodOptionsSchema, options).length).toBeGreaterThan(0);
  }
  expect(await ask({ case: "fileByFilename", value: "nothing.proto" })).toMatchObject({
    case: "errorResponse",
    value: { errorCode: Code.NotFound },
  });
});

test("closing lets calls in flight finish, ends streams, and refuses new connections", async () => {
  let release = () => {};
  let followed = false;
  await using served = await serving({
    ask: () =>
      new Promise((resolve) => {
        release = () => resolve({ text: "done" });
      }),
    async *follow(_, { signal }) {
      followed = true;
      yield {};
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const asked = served.client.ask({});
  const read = (async () => {
    for await (const _ of served.client.follow({}));
  })();
  const readFailure = failureOf(read);
  await until(() => followed && served.server.callsInFlight === 2);
  const closed = served.server.close(5_000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(served.server.callsInFlight).toBe(2);
  release();
  expect((await asked).text).toBe("done");
  expect((await readFailure).code).toBe(Code.Unavailable);
  await closed;
  const late = await failureOf(served.client.ask({}));
  expect(late.code).toBe(Code.Unavailable);
  expect(late.rawMessage).toBe("docket.testing.v1.ProbeService cannot be reached");
});

test("closing tells connections GOAWAY, and cuts off what does not end in time", async () => {
  await using served = await serving({ ask: () => new Promise<never>(() => {}) });
  const session = connect(`http://127.0.0.1:${served.port}`);
  let goaway: number | undefined;
  session.on("goaway", (code) => {
    goaway ??= code;
  });
  await new Promise((resolve) => session.on("connect", resolve));
  const asked = failureOf(served.client.ask({}));
  await until(() => served.server.callsInFlight === 1);
  await served.server.close(100);
  expect((await asked).code).toBe(Code.Unavailable);
  await until(() => goaway !== undefined);
  expect(goaway).toBe(constants.NGHTTP2_NO_ERROR);
  session.destroy();
});

async function* one<T>(value: T) {
  yield value;
}
