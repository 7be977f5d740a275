import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { Code, ConnectError, createContextKey } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { rawRequest } from "./support/raw-request.ts";
import { echoMethods, libraryMethods, startUnwatchedServer, type TestServer, testSpec } from "./support/test-api.ts";

const callerKey = createContextKey("");
const unary = "/gateway.test.v1.Echo/EchoBody";
const stream = "/gateway.test.v1.Library/ImportBooks";

/** Sends the head of a request and no byte of its declared body. Resolves with the whole response. */
function sendHead(url: string, path: string, headers: OutgoingHttpHeaders): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(url + path, {
      method: "POST",
      headers: { "content-length": 1000, ...headers },
      agent: false,
    });
    outgoing.on("error", reject);
    outgoing.on("response", (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const status = response.headers["grpc-status"] ?? response.trailers["grpc-status"] ?? "";
        resolve(`${response.statusCode} ${status} ${Buffer.concat(chunks).toString("latin1")}`);
        outgoing.destroy();
      });
    });
    outgoing.flushHeaders();
  });
}

describe("a call that is not admitted", () => {
  let server: TestServer;
  let admissions: string[] = [];
  const errors: unknown[] = [];

  beforeAll(async () => {
    server = await startUnwatchedServer({
      specs: [
        testSpec("Library", {
          ...libraryMethods(),
          importBooks: async (requests, context) => {
            for await (const _ of requests as unknown as AsyncIterable<unknown>);
            return { names: [context.values.get(callerKey)] };
          },
        }),
        testSpec("Echo", {
          ...echoMethods(),
          echoBody: (_, context) => ({ stringField: context.values.get(callerKey) }),
        }),
      ],
      async admit({ method, requestHeader, values }) {
        admissions.push(method.name);
        // Simulates an asynchronous key lookup.
        await new Promise(setImmediate);
        const caller = requestHeader.get("authorization");
        if (caller === null) throw new ConnectError("who are you?", Code.Unauthenticated);
        values.set(callerKey, caller);
      },
      onError: (error) => errors.push(error),
    });
  });
  beforeEach(() => {
    admissions = [];
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    expect(errors).toEqual([]);
  });

  const json = { "content-type": "application/json" };

  test.each<[string, string, OutgoingHttpHeaders, RegExp]>([
    ["REST", "/echo", json, /^401 .*"code":16/],
    ["REST, a stream of messages", "/v1/books:import", json, /^401 .*"code":16/],
    ["REST, a stream of bytes", "/v1/books:upload", { "content-type": "text/csv" }, /^401 .*"code":16/],
    ["REST, compressed", "/echo", { ...json, "content-encoding": "gzip" }, /^401 .*"code":16/],
    ["Connect", unary, json, /^401 .*"unauthenticated"/],
    ["Connect, unusual", unary, { "content-type": "application/json;charset=UTF-8" }, /^401 .*"unauthenticated"/],
    ["Connect, stream", stream, { "content-type": "application/connect+json" }, /^200 .*"unauthenticated"/],
    ["gRPC-Web", unary, { "content-type": "application/grpc-web+proto" }, /^200 .*grpc-status: 16/s],
    ["gRPC-Web, stream", stream, { "content-type": "application/grpc-web+proto" }, /^200 .*grpc-status: ?16/s],
    ["gRPC", unary, { "content-type": "application/grpc" }, /^200 16/],
  ])("is rejected before its body is read: %s", async (_, path, headers, expected) => {
    expect(await sendHead(server.url, path, headers)).toMatch(expected);
    expect(admissions).toHaveLength(1);
  });

  test("is not upgraded to a WebSocket", async () => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/books:import`);
    const status = await new Promise((resolve, reject) => {
      socket.on("unexpected-response", (_, response: IncomingMessage) => resolve(response.statusCode));
      socket.on("open", () => reject(new Error("it was opened")));
      socket.on("error", reject);
    });

    expect(status).toBe(401);
  });

  test("is one without the header: an admitted call has its context values, and is admitted once", async () => {
    const authorization = "me";
    const answers = await Promise.all([
      rawRequest(server.url, "/echo", { method: "POST", headers: { ...json, authorization }, body: "{}" }),
      rawRequest(server.url, "/v1/books:import", { method: "POST", headers: { ...json, authorization }, body: "{}" }),
      rawRequest(server.url, unary, { method: "POST", headers: { ...json, authorization }, body: "{}" }),
      rawRequest(server.url, unary, {
        method: "POST",
        headers: { "content-type": "application/json;charset=UTF-8", authorization },
        body: "{}",
      }),
      rawRequest(server.url, unary, {
        method: "POST",
        headers: { "content-type": "application/grpc-web+proto", authorization },
        body: Buffer.alloc(5),
      }),
    ]);

    for (const { body } of answers) expect(body.toString("latin1")).toContain(authorization);
    expect(admissions).toHaveLength(answers.length);
  });
});
