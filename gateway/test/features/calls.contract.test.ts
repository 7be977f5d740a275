import { once } from "node:events";
import { connect } from "node:net";
import { Code, createClient, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { rawRequest } from "../support/raw-request.ts";
import { startServerProcess } from "../support/server-process.ts";
import {
  echoMethods,
  type Loose,
  libraryMethods,
  startTestServer,
  type TestServer,
  testService,
  testSpec,
} from "../support/test-api.ts";
import { features } from "./features.ts";

type AnyClient = Record<string, (request: unknown, options?: object) => Promise<Loose>>;

const mib = 1024 * 1024;
let server: TestServer;
let order: string[] = [];
/** Observations of the Wait handler: that it started, and why its signal aborted. */
let began = Promise.withResolvers<void>();
let aborted = Promise.withResolvers<unknown>();

const mark =
  (name: string): Interceptor =>
  (next) =>
  async (request) => {
    order.push(`>${name}`);
    try {
      return await next(request);
    } finally {
      order.push(`<${name}`);
    }
  };

beforeAll(async () => {
  const echo = echoMethods();
  server = await startTestServer({
    specs: [
      testSpec("Library", {
        ...libraryMethods(),
        getBook: (request, context) => {
          context.responseHeader.set("x-proof-bin", Buffer.from([0, 255]).toString("base64"));
          context.responseTrailer.set("x-left", "3");
          return { name: request["name"] };
        },
      }),
      testSpec("Echo", {
        ...echo,
        wait: (request: Loose, context: HandlerContext) => {
          context.signal.addEventListener("abort", () => aborted.resolve(context.signal.reason));
          began.resolve();
          return echo["wait"]?.(request, context);
        },
      }),
    ],
    interceptors: [mark("a"), mark("b")],
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const get = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await rawRequest(server.url, path, { headers });
  return { ...answer, text: answer.body.toString() };
};

describe(features.httpBody, () => {
  test("the bytes with their content type, out and in, with the fields of path and query", async () => {
    const cover = await get("/v1/shelves/1/books/2/cover");
    expect(cover).toMatchObject({ text: "<svg/>", headers: { "content-type": "image/svg+xml" } });
    const bytes = Buffer.from([0, 255, 1]);
    const headers = { "content-type": "image/png" };
    const put = await rawRequest(server.url, "/v1/shelves/1/books/2/cover?loud=true", {
      method: "PUT",
      headers,
      body: bytes,
    });
    expect(put).toMatchObject({ body: bytes, headers: { "content-type": "image/png" } });
    const upload = await rawRequest(server.url, "/v1/shelves/9:upload", { method: "POST", headers, body: bytes });
    expect(JSON.parse(upload.body.toString())).toMatchObject({
      parent: "shelves/9",
      byteCount: "3",
      contentType: "image/png",
    });
  });

  test("256 MiB are transferred each way", async () => {
    await using process = await startServerProcess("library");
    const roundTrip = async (bytes: number): Promise<void> => {
      const download = await fetch(`${process.url}/v1/books:download?byte_count=${bytes}`);
      const headers = { "content-type": "x/y" };
      const init = { method: "POST", headers, body: download.body, duplex: "half" };
      const upload = await fetch(`${process.url}/v1/books:upload`, init as RequestInit);
      expect(upload.status).toBe(200);
    };
    await roundTrip(256 * mib);
    expect(await process.transferred()).toEqual({ made: 256 * mib, taken: 256 * mib });
  });
});

describe(features.webSocket, () => {
  test("one JSON message each, both ways; the path's variables are in each; an error is a last message", async () => {
    const talk = async (messages: string[]) => {
      const socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/chat/lobby`);
      const answers: unknown[] = [];
      socket.on("message", (data: Buffer) => answers.push(JSON.parse(data.toString())));
      await once(socket, "open");
      for (const message of messages) socket.send(message);
      const [code] = (await once(socket, "close")) as [number];
      return { answers, code };
    };
    expect(await talk(['{"text":"a"}', '{"text":"b"}', ""])).toEqual({
      answers: [
        { room: "lobby", text: "echo a" },
        { room: "lobby", text: "echo b" },
      ],
      code: 1000,
    });
    expect(await talk(['{"nope":1}'])).toMatchObject({ answers: [{ error: { code: 3 } }], code: 1008 });
    expect((await get("/v1/chat/lobby")).status).toBe(426);
  });
});

describe(features.cancellation, () => {
  beforeEachCall();

  test.each([
    ["grpc-timeout", "50m"],
    ["connect-timeout-ms", "50"],
    ["x-server-timeout", "0.05"],
  ])("%s: %s ends the call with 504", async (name, value) => {
    expect((await get("/wait?duration=600s", { [name]: value })).status).toBe(504);
    expect(await aborted.promise).toMatchObject({ code: Code.DeadlineExceeded });
  });

  test.each([
    ["REST", "GET /wait?duration=600s HTTP/1.1\r\nHost: x\r\n\r\n"],
    [
      "Connect",
      "POST /gateway.test.v1.Echo/Wait HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n" +
        '{"duration":"600s"}',
    ],
  ])("a disconnecting client of %s aborts the handler's signal", async (_, request) => {
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    socket.write(request);
    await began.promise;
    socket.destroy();
    expect(await aborted.promise).toMatchObject({ code: Code.Canceled });
  });
});

/** Resets the promises of the Wait handler. */
function beforeEachCall(): void {
  beforeEach(() => {
    began = Promise.withResolvers();
    aborted = Promise.withResolvers();
  });
}

describe(features.interceptors, () => {
  const transports = {
    "Connect with JSON": () => createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" }),
    "Connect with proto": () =>
      createConnectTransport({ baseUrl: server.url, httpVersion: "1.1", useBinaryFormat: true }),
    "gRPC-Web": () => createGrpcWebTransport({ baseUrl: server.url, httpVersion: "1.1" }),
  };
  const once: [string, () => Promise<unknown>][] = [
    ["REST", () => get("/v1/books/b")],
    ["a stream on REST", () => get("/v1/books:watch?count=1")],
    ["an upload", () => rawRequest(server.url, "/v1/books:upload", { method: "POST", body: "a" })],
    ["an error", () => get("/fail/5")],
    ...Object.entries(transports).map(([name, transport]): [string, () => Promise<unknown>] => [
      name,
      async () =>
        (createClient(testService("Library"), transport()) as unknown as AnyClient)["getBook"]?.({ name: "b" }),
    ]),
  ];

  test.each(once)("%s", async (_, run) => {
    order = [];
    await run();
    expect(order).toEqual([">a", ">b", "<b", "<a"]);
  });
});

describe(features.metadata, () => {
  test("headers invented by a client are not metadata: identity and tracing cannot be forged", async () => {
    const forged = [
      ...["x-user-id", "x-internal-user", "x-forwarded-user", "x-amzn-oidc-identity", "grpc-metadata-authorization"],
      ...[
        "grpc-trace-bin",
        "x-b3-traceid",
        "b3",
        "x-cloud-trace-context",
        "uber-trace-id",
        "x-docket-tenant",
        "connection",
      ],
    ];
    const allowed = ["authorization", "traceparent", "x-request-id"];
    const names = [...forged, ...allowed];
    const headers = Object.fromEntries(names.filter((name) => name !== "connection").map((name) => [name, "forged"]));
    const answer = await get(`/metadata?${names.map((name) => `names=${name}`).join("&")}`, headers);
    expect(JSON.parse(answer.text)).toEqual({
      values: Object.fromEntries(allowed.map((name) => [name, "forged"])),
    });
  });

  test("the allow-list is an option, by name and by prefix", async () => {
    await using other = await startTestServer({ requestHeaders: ["X-Shop-*"] });
    const headers = { "x-shop-a": "1", "x-shop-b-bin": "AP8=", authorization: "x" };
    const path = "/metadata?names=x-shop-a&names=x-shop-b-bin&names=authorization";
    const answer = await rawRequest(other.url, path, { headers });
    expect(JSON.parse(answer.body.toString())).toEqual({ values: { "x-shop-a": "1", "x-shop-b-bin": "AP8=" } });
  });

  test("headers of the response, `-bin` in base64, and trailers as Grpc-Trailer-", async () => {
    const { headers } = await get("/v1/books/b");
    expect(headers).toMatchObject({ "x-proof-bin": "AP8=", "grpc-trailer-x-left": "3" });
  });
});
