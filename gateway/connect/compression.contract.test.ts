import { brotliCompressSync, gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { rawRequest } from "../test/support/raw-request.ts";
import { startTestServer, type TestServer, testMessage } from "../test/support/test-api.ts";

const maxBodyBytes = 100_000;

describe.each([
  ["gzip", gzipSync],
  ["br", brotliCompressSync],
])("a unary request in %s", (encoding, compress) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer({ maxBodyBytes });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const connect = async (body: Uint8Array) => {
    const headers = { "content-type": "application/json", "content-encoding": encoding };
    const answer = await rawRequest(server.url, "/gateway.test.v1.Library/GetBook", { method: "POST", headers, body });
    return JSON.parse(answer.body.toString());
  };

  const grpcWeb = async (body: Uint8Array, flags = 1, announced = encoding) => {
    const head = Buffer.from([flags, 0, 0, 0, 0]);
    head.writeUInt32BE(body.length, 1);
    const headers = { "content-type": "application/grpc-web+proto", "grpc-encoding": announced };
    const init = { method: "POST", headers, body: Buffer.concat([head, body]) };
    return (await rawRequest(server.url, "/gateway.test.v1.Library/GetBook", init)).body;
  };

  const request = testMessage("GetBookRequest");
  const bytes = toBinary(request, create(request, { name: "books/1" } as never));

  test("should be accepted on Connect, up to the size limit", async () => {
    const withName = (length: number) => compress(JSON.stringify({ name: "b".repeat(length - 11) }));
    expect(await connect(compress('{"name":"books/1"}'))).toMatchObject({ name: "books/1" });
    expect(await connect(withName(maxBodyBytes))).toMatchObject({ title: "Emma" });
    expect(await connect(withName(maxBodyBytes + 1))).toMatchObject({ code: "resource_exhausted" });
  });

  test("should be accepted on gRPC-Web, also if its message is not compressed", async () => {
    for (const answer of [await grpcWeb(compress(bytes)), await grpcWeb(bytes, 0)]) {
      const message = fromBinary(testMessage("Book"), answer.subarray(5, 5 + answer.readUInt32BE(1)));
      expect(message).toMatchObject({ name: "books/1" });
      expect(answer.toString("latin1")).toContain("grpc-status: 0\r\n");
    }
  });

  test("should be rejected if it is malformed or decompresses to too many bytes", async () => {
    expect(await connect(Buffer.from("plainly not"))).toMatchObject({ code: "invalid_argument" });
    expect(await connect(compress(Buffer.alloc(5_000_000)))).toMatchObject({ code: "resource_exhausted" });
    const statusOf = async (answer: Promise<Buffer>) =>
      /grpc-status: (\d+)/.exec((await answer).toString("latin1"))?.[1];
    expect(await statusOf(grpcWeb(Buffer.from("plainly not")))).toBe("3");
    expect(await statusOf(grpcWeb(compress(Buffer.alloc(5_000_000))))).toBe("8");
    expect(await statusOf(grpcWeb(compress(bytes), 1, "identity"))).toBe("13");
  });
});
