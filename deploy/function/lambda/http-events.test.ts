import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test } from "@jest/globals";
import type { HttpHandler } from "../../../gateway/http/listener/listener.ts";
import { type Platform, type PlatformRequest, platforms } from "../testing/events.ts";
import { httpSourceOf } from "./http-events.ts";
import { serveHttp } from "./serve-http.ts";

const given: PlatformRequest = { method: "GET", url: "/", headers: [], body: Buffer.alloc(0), address: "192.0.2.7" };

/** Answers with what it was sent. */
const echo: HttpHandler = Object.assign(
  ((request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers, socket } = request;
      const body = Buffer.concat(chunks);
      response.appendHeader("set-cookie", "a=1; Path=/");
      response.appendHeader("set-cookie", "b=2");
      response.writeHead(headers["x-status"] === undefined ? 200 : Number(headers["x-status"]), {
        "content-type": headers["x-answer"]?.toString() ?? "application/json",
      });
      response.end(
        headers["x-answer"] === undefined
          ? JSON.stringify({ method, url, headers, address: socket.remoteAddress, body: body.toString("hex") })
          : body,
      );
    });
  }) as HttpHandler,
  { upgrade: () => undefined, shouldUpgrade: () => false },
);

async function send(platform: Platform, request: Partial<PlatformRequest>, options = { leftMs: 5_000 }) {
  const source = httpSourceOf(platform.eventOf({ ...given, ...request }));
  if (source === undefined) throw new Error("not read as an HTTP event");
  const { result } = await serveHttp(
    { handler: echo },
    { source, stream: undefined, traceparent: "00-aaaa", timing: () => "handler;dur=1", ...options },
  );
  return platform.responseOf(JSON.parse(JSON.stringify(result)));
}

describe.each(platforms.map((platform) => [platform.name, platform] as const))("%s", (name, platform) => {
  const isSingle = name === "a load balancer";

  test("passes on method, path, query, headers, address and body", async () => {
    const { status, headers, body } = await send(platform, {
      method: "POST",
      url: "/v1/orders/a%2Fb:cancel?filter=a%20%3D%20%22%C3%A9%22&page_size=5&empty",
      headers: [
        ["content-type", "application/json"],
        ["authorization", "Bearer k"],
        ["cookie", "x=1; y=2"],
      ],
      body: Buffer.from('{"a":"é"}'),
    });
    const seen = JSON.parse(body.toString()) as Record<string, Record<string, string>>;
    expect(seen).toMatchObject({
      method: "POST",
      url: expect.stringMatching(/^\/v1\/orders\/a%2Fb:cancel\?filter=a%20%3D%20%22%C3%A9%22&page_size=5&empty=?$/),
      address: "192.0.2.7",
      body: Buffer.from('{"a":"é"}').toString("hex"),
    });
    expect(seen["headers"]).toMatchObject({
      authorization: "Bearer k",
      cookie: "x=1; y=2",
      "content-length": "10",
      traceparent: "00-aaaa",
      "x-server-timeout": expect.stringMatching(/^4\.9/),
    });
    expect(status).toBe(200);
    const pairs = headers.map(([header, value]) => `${header}: ${value}`);
    expect(pairs).toContain("server-timing: handler;dur=1");
    expect(pairs.filter((pair) => pair.startsWith("set-cookie"))).toEqual(
      isSingle ? ["set-cookie: a=1; Path=/, b=2"] : ["set-cookie: a=1; Path=/", "set-cookie: b=2"],
    );
  });

  test.each(["application/grpc-web+proto", "application/proto", "application/octet-stream"])(
    "passes %s on byte for byte, both ways",
    async (type) => {
      const bytes = Buffer.from(Uint8Array.from({ length: 256 }, (_, nth) => nth));
      const { body, headers } = await send(platform, {
        method: "POST",
        headers: [
          ["content-type", type],
          ["x-answer", type],
        ],
        body: bytes,
      });
      expect(body.equals(bytes)).toBe(true);
      expect(headers).toContainEqual(["content-type", type]);
    },
  );

  test("keeps parameters and headers that occur several times", async () => {
    const { body } = await send(platform, {
      url: "/?a=1&a=2",
      headers: [
        ["x-twice", "1"],
        ["x-twice", "2"],
      ],
    });
    const seen = JSON.parse(body.toString()) as { url: string; headers: Record<string, string> };
    // A load balancer keeps the last one only, unless multi-value headers are enabled.
    expect(seen.url).toBe(isSingle ? "/?a=2" : "/?a=1&a=2");
    expect(seen.headers["x-twice"]).toMatch(isSingle ? /^2$/ : /^1, ?2$/);
  });

  test("refuses native gRPC with 415, and says what to use", async () => {
    for (const type of ["application/grpc", "application/grpc+proto", "application/grpc; charset=utf-8"]) {
      const { status, body } = await send(platform, { method: "POST", headers: [["content-type", type]] });
      expect([status, JSON.parse(body.toString())]).toEqual([
        415,
        { code: 12, message: expect.stringContaining("use gRPC-Web, Connect or REST"), details: [] },
      ]);
    }
  });

  test("answers 502's place with a clear error where the response is too large", async () => {
    const { status, body } = await send(platform, {
      method: "POST",
      headers: [["x-answer", "text/plain"]],
      body: Buffer.alloc(7 * 1024 * 1024, "x"),
    });
    expect([status, JSON.parse(body.toString())]).toEqual([500, expect.objectContaining({ code: 13 })]);
  });
});

test("a call that is out of time is answered with 504, and its handler sees the client leave", async () => {
  let left = false;
  const handler: HttpHandler = Object.assign(
    ((_: IncomingMessage, response: ServerResponse) =>
      response.once("close", () => {
        left = true;
      })) as unknown as HttpHandler,
    { upgrade: () => undefined, shouldUpgrade: () => false },
  );
  const [platform] = platforms;
  const source = httpSourceOf(platform?.eventOf(given));
  if (source === undefined || platform === undefined) throw new Error("not read as an HTTP event");
  const { status } = await serveHttp(
    { handler },
    { source, stream: undefined, traceparent: undefined, timing: () => "", leftMs: 50 },
  );
  expect([status, left]).toEqual([504, true]);
});

test.each([null, 1, {}, { Records: [] }, { requestContext: {} }, { version: "1.0" }])(
  "%j is no HTTP event",
  (event) => {
    expect(httpSourceOf(event)).toBeUndefined();
  },
);
