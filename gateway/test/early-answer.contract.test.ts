import { once } from "node:events";
import { type ClientHttp2Session, connect, constants, createServer, type IncomingHttpHeaders } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createHttpHandler } from "../http-handler.ts";
import { rawRequest } from "./support/raw-request.ts";
import {
  type Loose,
  libraryMethods,
  startTestServer,
  testMessage,
  testRegistry,
  testSpec,
} from "./support/test-api.ts";

const maxBodyBytes = 1000;
const announcedBytes = 100_000;

interface Seen {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
  readonly rstCode: number;
}

function envelope(data: Uint8Array, length = data.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, data]);
}

describe("an answer to a request that is still coming, on HTTP/2", () => {
  const server = createServer();
  let session: ClientHttp2Session;

  beforeAll(async () => {
    const handler = createHttpHandler({
      specs: [
        testSpec("Library", {
          ...libraryMethods(),
          importBooks: async (requests, context) => {
            context.responseHeader.set("x-shelf", "first");
            for await (const _ of requests as unknown as AsyncIterable<Loose>);
            return {};
          },
        }),
      ],
      registry: testRegistry,
      maxBodyBytes,
    });
    server.on("request", handler);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterAll(async () => {
    session.destroy();
    server.close();
    await once(server, "close");
  });

  /**
   * Announces a large message and sends its beginning. Like Go clients, it resets the request when the head of the
   * response arrives, or, with `waits`, when the caller requests it.
   */
  async function breakOff(method: string, contentType: string, waits = false): Promise<Seen> {
    const stream = session.request({
      ":method": "POST",
      ":path": `/gateway.test.v1.Library/${method}`,
      "content-type": contentType,
      "content-length": announcedBytes,
      te: "trailers",
    });
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    let body = "";
    stream.on("response", (received) => {
      headers = received;
      if (!waits) stream.end();
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("error", () => undefined);
    stream.setEncoding("latin1").on("data", (text: string) => {
      body += text;
    });
    stream.write(envelope(Buffer.alloc(10), announcedBytes - 5));
    await once(stream, "close");
    return { headers, trailers, body, rstCode: stream.rstCode ?? -1 };
  }

  test.each([
    ["unary", "GetBook"],
    ["server-streaming", "WatchBooks"],
    ["client-streaming", "ImportBooks"],
  ])("should be whole in gRPC-Web, %s", async (_, method) => {
    const { headers, body, rstCode } = await breakOff(method, "application/grpc-web+proto");
    expect(headers[":status"]).toBe(200);
    expect(body).toContain("grpc-status: 8\r\n");
    expect(rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test("should be whole in Connect, unary and streaming", async () => {
    const unary = await breakOff("GetBook", "application/proto");
    expect(unary.headers[":status"]).toBe(429);
    expect(JSON.parse(unary.body)).toMatchObject({ code: "resource_exhausted" });
    expect(unary.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
    const stream = await breakOff("WatchBooks", "application/connect+proto");
    expect(stream.headers[":status"]).toBe(200);
    expect(JSON.parse(stream.body.slice(5))).toMatchObject({ error: { code: "resource_exhausted" } });
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test.each([
    ["unary", "GetBook"],
    ["server-streaming", "WatchBooks"],
  ])("should be one block of headers in gRPC, %s", async (_, method) => {
    const { headers, trailers, body, rstCode } = await breakOff(method, "application/grpc");
    expect(headers).toMatchObject({ ":status": 200, "content-type": "application/grpc+proto", "grpc-status": "8" });
    expect([trailers, body]).toEqual([{}, ""]);
    expect(rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test.each(["application/grpc-web+proto", "application/connect+proto", "application/grpc"])(
    "should stop a waiting %s client from sending more",
    async (contentType) => {
      const { headers, rstCode } = await breakOff("WatchBooks", contentType, true);
      expect(headers[":status"]).toBe(200);
      expect(rstCode).toBe(constants.NGHTTP2_NO_ERROR);
    },
  );

  test("should tell a client of REST that waits to send no more", async () => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/v1/books:import",
      "content-type": "application/x-ndjson",
      "content-length": announcedBytes,
    });
    stream.write("this is not JSON\n");
    const [headers] = await once(stream, "response");
    expect(headers[":status"]).toBe(400);
    stream.resume();
    await once(stream, "close");
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test("should keep headers and trailers of gRPC apart where the handler has set some", async () => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/gateway.test.v1.Library/ImportBooks",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.write(envelope(Buffer.alloc(10), announcedBytes));
    const [[headers], [trailers]] = await Promise.all([once(stream, "response"), once(stream, "trailers")]);
    stream.resume();
    await once(stream, "close");
    expect(headers).toMatchObject({ ":status": 200, "x-shelf": "first" });
    expect(headers).not.toHaveProperty("grpc-status");
    expect(trailers).toMatchObject({ "grpc-status": "8" });
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });
});

describe("a stream both ways, on HTTP/1", () => {
  test("should be answered in Connect and gRPC-Web when the client has said all", async () => {
    await using server = await startTestServer();
    const desc = testMessage("ChatMessage");
    const said = ["one", "two"].map((text) =>
      envelope(toBinary(desc, create(desc, { room: "rooms/1", text } as never))),
    );
    for (const contentType of ["application/connect+proto", "application/grpc-web+proto"]) {
      const { status, body } = await rawRequest(server.url, "/gateway.test.v1.Library/Chat", {
        method: "POST",
        headers: { "content-type": contentType },
        body: Buffer.concat(said),
      });
      expect(status).toBe(200);
      expect(body.toString("latin1")).toMatch(/echo one.*echo two/s);
    }
  });
});
