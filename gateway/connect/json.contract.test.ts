import { readFileSync } from "node:fs";
import { createServer as createHttp1Server } from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { createServiceImplSpec, type ServiceImplSpec } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createHttpHandler } from "../http-handler.ts";
import { rawRequest } from "../test/support/raw-request.ts";
import { testDescriptorSet } from "../test/support/start-program.ts";

/** The Echo service with `EchoBody` for GET and `EchoQuery` as a bidirectional stream. */
function echoSpec(): ServiceImplSpec {
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(testDescriptorSet));
  for (const method of set.file.flatMap(({ service }) => service).flatMap((service) => service.method)) {
    if (method.name === "EchoBody") {
      method.options = create(MethodOptionsSchema, {
        idempotencyLevel: MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
      });
    }
    if (method.name === "EchoQuery") {
      Object.assign(method, { options: undefined, clientStreaming: true, serverStreaming: true });
    }
  }
  const service = createFileRegistry(set).getService("gateway.test.v1.Echo");
  if (service === undefined) throw new Error("no service Echo");
  return createServiceImplSpec(service, {
    echoBody: (request: unknown) => request,
    async *echoQuery(requests: AsyncIterable<unknown>) {
      yield* requests;
    },
  } as never);
}

const spec = echoSpec();
const sent = '{"int64Field":9007199254740993,"uint64Field":18446744073709551615,"floatField":0.1}';
const echoed = '{"int64Field":"9007199254740993","uint64Field":"18446744073709551615","floatField":0.1}';

function envelope(message: string | Uint8Array): Buffer {
  const data = Buffer.from(message);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(data.length, 1);
  return Buffer.concat([head, data]);
}

/** The messages of a stream, without the end-of-stream envelope of Connect and gRPC-Web. */
function messagesOf(body: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < body.length; at += 5 + body.readUInt32BE(at + 1)) {
    if (body[at] === 0) messages.push(body.subarray(at + 5, at + 5 + body.readUInt32BE(at + 1)).toString());
  }
  return messages;
}

describe("JSON on every wire", () => {
  const errors: unknown[] = [];
  const handler = createHttpHandler({ specs: [spec], onError: (error) => errors.push(error) });
  const servers: Record<"http1" | "http2", Server> = {
    http1: createHttp1Server(handler),
    http2: createHttp2Server(handler),
  };

  beforeAll(async () => {
    for (const server of Object.values(servers))
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    for (const server of Object.values(servers)) await new Promise((resolve) => server.close(resolve));
  });

  const urlOf = (version: keyof typeof servers): string => {
    const { port } = servers[version].address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  };

  const post = (method: string, type: string, body: Uint8Array | string) =>
    rawRequest(urlOf("http1"), `/gateway.test.v1.Echo/${method}`, {
      method: "POST",
      headers: { "content-type": type },
      body: Buffer.from(body),
    });
  const get = async (query: Record<string, string>) => {
    const answer = await rawRequest(urlOf("http1"), `/gateway.test.v1.Echo/EchoBody?${new URLSearchParams(query)}`, {});
    return { status: answer.status, text: answer.body.toString() };
  };

  test.each(["application/json", "application/json;charset=utf-8", "application/json; charset=UTF-8"])(
    "is exact in unary calls of Connect: %s",
    async (type) => {
      expect((await post("EchoBody", type, sent)).body.toString()).toBe(echoed);
    },
  );

  test.each(["EchoBody", "EchoQuery"])("is exact in gRPC-Web: %s", async (method) => {
    const { body } = await post(method, "application/grpc-web+json", envelope(sent));
    expect(messagesOf(body)).toEqual([echoed]);
    expect(body.toString("latin1")).toContain("grpc-status: 0");
  });

  test("is exact in a stream of Connect", async () => {
    const { body } = await post(
      "EchoQuery",
      "application/connect+json",
      Buffer.concat([envelope(sent), envelope("{}")]),
    );
    expect(messagesOf(body)).toEqual([echoed, "{}"]);
  });

  test.each(["EchoBody", "EchoQuery"])("is exact in gRPC: %s", async (method) => {
    const session = connect(urlOf("http2"));
    try {
      const stream = session.request({
        ":method": "POST",
        ":path": `/gateway.test.v1.Echo/${method}`,
        "content-type": "application/grpc+json",
        te: "trailers",
      });
      stream.end(envelope(sent));
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      expect(messagesOf(Buffer.concat(chunks))).toEqual([echoed]);
    } finally {
      session.close();
    }
  });

  test("is exact in Connect's GET, as text and in base64", async () => {
    expect(await get({ encoding: "json", message: sent })).toEqual({ status: 200, text: echoed });
    const base64 = Buffer.from(sent).toString("base64url");
    expect(await get({ encoding: "json", base64: "1", message: base64 })).toEqual({ status: 200, text: echoed });
  });

  test("Connect's GET accepts binary messages", async () => {
    const { input } = spec.service.methods.find(({ name }) => name === "EchoBody") ?? {};
    if (input === undefined) throw new Error("no method");
    const bytes = toBinary(input, create(input, { int64Field: 9007199254740993n } as never));
    const message = Buffer.from(bytes).toString("base64url");
    expect(await get({ connect: "v1", encoding: "proto", base64: "1", message })).toMatchObject({ status: 200 });
  });

  test.each([
    ["bytes that are no message", { encoding: "proto", base64: "1", message: "Cv8" }],
    ["text that is no base64", { encoding: "proto", base64: "1", message: "*" }],
    ["JSON that is not a valid message", { encoding: "json", message: '{"int64Field":true}' }],
    ["no message", { encoding: "json" }],
    ["what is not compressed", { encoding: "json", compression: "gzip", base64: "1", message: "AAAA" }],
  ])("Connect's GET blames the client for %s", async (_, query) => {
    const { status, text } = await get(query);
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([400, "invalid_argument"]);
    expect(errors).toEqual([]);
  });

  test("gRPC blames the client for malformed messages", async () => {
    const session = connect(urlOf("http2"));
    try {
      const stream = session.request({
        ":method": "POST",
        ":path": "/gateway.test.v1.Echo/EchoBody",
        "content-type": "application/grpc",
        te: "trailers",
      });
      const status = new Promise((resolve) => {
        for (const event of ["response", "trailers"] as const) {
          stream.on(
            event,
            (headers: NodeJS.Dict<unknown>) => headers["grpc-status"] && resolve(headers["grpc-status"]),
          );
        }
      });
      stream.end(envelope(Buffer.from([0x0a, 0xff])));
      stream.resume();
      expect(await status).toBe("3");
    } finally {
      session.close();
    }
  });
});
