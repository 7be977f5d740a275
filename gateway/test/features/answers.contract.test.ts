import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { rawRequest } from "../support/raw-request.ts";
import {
  type Loose,
  libraryMethods,
  startTestServer,
  startUnwatchedServer,
  type TestServer,
  testSpec,
} from "../support/test-api.ts";
import { features } from "./features.ts";

const json = { "content-type": "application/json" };
const origin = "https://shop.example";
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ heartbeatMs: 30, cors: { origins: [origin], credentials: true } });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const call = async (line: string, headers: Record<string, string> = {}, body?: string, to = server) => {
  const [method = "", path = ""] = line.split(" ");
  const answer = await rawRequest(to.url, path, { method, headers, ...(body === undefined ? {} : { body }) });
  return { ...answer, text: answer.body.toString() };
};

describe(features.serverStream, () => {
  const watch = (query: string, accept: string, headers: Record<string, string> = {}) =>
    call(`GET /v1/books:watch?${query}`, { accept, ...headers });

  test("SSE has ids, resumes after Last-Event-ID, and sends heartbeats", async () => {
    const events = await watch("count=2", "text/event-stream");
    expect(events.headers["content-type"]).toBe("text/event-stream");
    expect(events.text).toMatch(/^id: 1\ndata: \{"book":.*\}\n\nid: 2\ndata: .*\n\nevent: end\ndata: \{\}\n\n$/);
    const resumed = await watch("count=1", "text/event-stream", { "last-event-id": "41" });
    expect(resumed.text).toMatch(/^id: 42\n/);
    const idle = await watch("count=1&pause_ms=200", "text/event-stream");
    expect(idle.text).toMatch(/^(: keep-alive\n\n)+id: 1\n/);
  });

  test("an option chooses the format if Accept does not", async () => {
    await using other = await startTestServer({ streamFormat: "array" });
    const typeOf = async (headers: Record<string, string>) =>
      (await call("GET /v1/books:watch?count=1", headers, undefined, other)).headers["content-type"];
    expect(await typeOf({})).toBe("application/json");
    expect(await typeOf({ accept: "*/*" })).toBe("application/json");
    expect(await typeOf({ accept: "text/event-stream" })).toBe("text/event-stream");
  });

  test("NDJSON, also without Accept; an array for application/json", async () => {
    for (const accept of ["application/x-ndjson", "*/*", "text/event-stream;q=0.1, application/x-ndjson"]) {
      const answer = await watch("count=3", accept);
      expect(answer.headers["content-type"]).toBe("application/x-ndjson");
      const lines = answer.text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Loose);
      expect(lines.map((line) => line["resumeToken"])).toEqual(["1", "2", "3"]);
    }
    expect(JSON.parse((await watch("count=2", "application/json")).text)).toHaveLength(2);
    expect(JSON.parse((await watch("count=0", "application/json")).text)).toEqual([]);
  });

  test.each([
    ["text/event-stream", /\n\nevent: error\ndata: \{"code":15,"message":"the shelf fell","details":\[\]\}\n\n$/],
    ["application/x-ndjson", /\n\{"error":\{"code":15,"message":"the shelf fell","details":\[\]\}\}\n$/],
    ["application/json", /,\n\{"error":\{"code":15,"message":"the shelf fell","details":\[\]\}\}\]\n$/],
  ])("an error is the last element of %s, one before the first message has its status", async (accept, end) => {
    const answer = await watch("count=3&fail_after=2", accept);
    expect(answer.status).toBe(200);
    expect(answer.text).toMatch(end);
    expect(await call("GET /fail-stream/5?message=gone", { accept })).toMatchObject({ status: 404 });
  });
});

describe(features.errors, () => {
  test.each([
    ["status", "application/json", { code: 5, message: "m", details: [{ reason: "R" }] }],
    [
      "aip193",
      "application/json",
      { error: { code: 404, status: "NOT_FOUND", message: "m", details: [{ reason: "R" }] } },
    ],
    [
      "problem",
      "application/problem+json",
      { type: "about:blank", status: 404, title: "NOT_FOUND", detail: "m", code: 5 },
    ],
  ] as const)("%s is %s", async (errorFormat, contentType, body) => {
    await using other = await startTestServer({ errorFormat });
    const answer = await call("GET /fail/5?message=m&reason=R", {}, undefined, other);
    expect(answer).toMatchObject({ status: 404, headers: { "content-type": contentType } });
    expect(JSON.parse(answer.text)).toMatchObject(body);
  });

  test.each([
    ...[
      [1, 499],
      [2, 500],
      [3, 400],
      [4, 504],
      [5, 404],
      [6, 409],
      [7, 403],
      [8, 429],
      [9, 400],
      [10, 409],
    ],
    ...[
      [11, 400],
      [12, 501],
      [13, 500],
      [14, 503],
      [15, 500],
      [16, 401],
    ],
  ] as [number, number][])("the code %d is the status %d", async (code, status) => {
    expect((await call(`GET /fail/${code}?message=m`)).status).toBe(status);
  });

  test("other exceptions of an implementation are not exposed", async () => {
    const answer = await call("GET /fail/0?message=secret");
    expect(JSON.parse(answer.text)).toMatchObject({ code: 13, message: "internal error" });
    expect(answer.text).not.toMatch(/secret|at .*\.ts/);
  });
});

describe(features.etag, () => {
  const path = "/v1/shelves/1/books/2";

  test("an etag field is the ETag, and a matching If-None-Match is 304", async () => {
    expect((await call(`GET ${path}`)).headers["etag"]).toBe('"v1"');
    for (const tags of ['"v1"', 'W/"v1"', '"v0", "v1"', "*"]) {
      expect(await call(`GET ${path}`, { "if-none-match": tags })).toMatchObject({ status: 304, text: "" });
    }
    expect((await call(`GET ${path}`, { "if-none-match": '"v0"' })).status).toBe(200);
  });

  test("caches store nothing except responses with an ETag, which only the client may keep and must revalidate", async () => {
    const cacheControl = async (line: string, headers: Record<string, string> = {}, body?: string, to = server) =>
      (await call(line, headers, body, to)).headers["cache-control"];
    expect(await cacheControl(`GET ${path}`)).toBe("private, no-cache");
    expect(await cacheControl(`GET ${path}`, { "if-none-match": "*" })).toBe("private, no-cache");
    expect(await cacheControl(`PATCH ${path}`, json, "{}")).toBe("no-store");
    expect(await cacheControl("GET /v1/nothing")).toBe("no-store");
    expect(await cacheControl("GET /fail/5")).toBe("no-store");
    expect(await cacheControl("GET /v1/books:watch?count=1")).toBe("no-store");
    await using other = await startTestServer({
      specs: [
        testSpec("Library", {
          ...libraryMethods(),
          getBook: (_, { responseHeader }) => {
            responseHeader.set("cache-control", "max-age=60");
            return { etag: "v1" };
          },
        }),
      ],
    });
    expect(await cacheControl(`GET ${path}`, {}, undefined, other)).toBe("max-age=60");
  });

  test("If-Match fills the etag: 412 if it does not match, 400 if it contradicts the body", async () => {
    const patch = (ifMatch: string, body = "{}") => call(`PATCH ${path}`, { ...json, "if-match": ifMatch }, body);
    expect((await patch('"v1"')).status).toBe(200);
    expect((await patch("*")).status).toBe(200);
    const stale = await patch('"v0"');
    expect(stale.status).toBe(412);
    expect(JSON.parse(stale.text)).toMatchObject({ code: 10, details: [{ reason: "ETAG_MISMATCH" }] });
    expect((await patch('"v1"', '{"etag":"v0"}')).status).toBe(400);
    expect((await patch('"v1", "v2"')).status).toBe(400);
  });

  test.each(["a\nb", "ü€", 'a"b', "a b"])("%j is not a valid entity tag, and is not sent as one", async (etag) => {
    const answer = await call(`POST ${path}:move`, json, JSON.stringify({ etag }));
    expect(answer).toMatchObject({ status: 200, headers: expect.not.objectContaining({ etag: expect.anything() }) });
    expect(JSON.parse(answer.text)).toMatchObject({ etag });
  });
});

describe(features.success, () => {
  test("a POST on a collection is 201 with its Location, everything else 200", async () => {
    const created = await call("POST /v1/shelves/1/books?book_id=a%20b", json, "{}");
    expect(created).toMatchObject({ status: 201, headers: { location: "/v1/shelves/1/books/a%20b" } });
    for (const [line, body] of [
      ["POST /v1/shelves/1/books/2:move", "{}"],
      ["PUT /v1/shelves/1/books/2", "{}"],
    ] as const) {
      const answer = await call(line, json, body);
      expect({ status: answer.status, location: answer.headers["location"] }).toEqual({
        status: 200,
        location: undefined,
      });
    }
  });

  test("there is no Location if no GET serves the name", async () => {
    const named = (name: string) => {
      const methods = { ...libraryMethods(), createBook: () => ({ name }) };
      return startTestServer({ specs: [testSpec("Library", methods)] });
    };
    for (const [name, location] of [
      ["Bob Smith", undefined],
      ["shelves/1", undefined],
      ["shelves/1/books/2", "/v1/shelves/1/books/2"],
    ] as const) {
      await using other = await named(name);
      const answer = await call("POST /v1/shelves/1/books", json, "{}", other);
      expect([answer.status, answer.headers["location"]]).toEqual([201, location]);
    }
  });

  test("an option turns 201 and Location off", async () => {
    await using other = await startTestServer({ created: false });
    const answer = await call("POST /v1/shelves/1/books?book_id=b", json, "{}", other);
    expect([answer.status, answer.headers["location"]]).toEqual([200, undefined]);
  });

  test("a function decides for each method", async () => {
    // The document describes the statuses that follow from the annotations.
    await using other = await startUnwatchedServer({
      success: ({ method }) =>
        method.name === "DeleteBook" ? { status: 202, location: "/operations/1" } : { status: 200 },
    });
    const answer = await call("DELETE /v1/shelves/1/books/2", {}, undefined, other);
    expect(answer).toMatchObject({ status: 202, headers: { location: "/operations/1" } });
    expect((await call("POST /v1/shelves/1/books", json, "{}", other)).status).toBe(200);
  });
});

describe(features.transport, () => {
  const forged = (headers: Record<string, string>) =>
    call("POST /v1/shelves/1/books", { cookie: "session=1", ...headers }, "title=a");
  const form = { "content-type": "application/x-www-form-urlencoded" };

  test.each([
    ["a form", { ...form, origin: "https://evil.example" }],
    ["a form from no origin at all", { ...form, origin: "null" }],
    ["a form that only says that its site is another", { ...form, "sec-fetch-site": "cross-site" }],
    ["a body of text", { "content-type": "text/plain", origin: "https://evil.example" }],
    ["a body without a content type", { origin: "https://evil.example" }],
  ])("a cross-origin page may not send %s with cookies", async (_, headers) => {
    const answer = await forged(headers);
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
      403,
      { details: [{ reason: "ORIGIN_NOT_ALLOWED" }] },
    ]);
  });

  test("a form with cookies is accepted from an origin that CORS allows, from the same origin, and without a page", async () => {
    const sameOrigin = new URL(server.url).origin;
    for (const headers of [{ origin }, { origin: sameOrigin }, {}]) {
      expect((await forged({ ...form, ...headers })).status).toBe(201);
    }
    const withoutCookies = { ...form, origin: "https://evil.example" };
    expect((await call("POST /v1/shelves/1/books", withoutCookies, "title=a")).status).toBe(201);
  });

  const body = JSON.stringify({ stringField: "x".repeat(5000) });

  test.each([
    ["br, gzip", "br", brotliDecompressSync],
    ["gzip, br;q=0.5", "gzip", gunzipSync],
  ] as const)("Accept-Encoding %s gets %s", async (accept, encoding, undo) => {
    const answer = await call("POST /echo", { ...json, "accept-encoding": accept }, body);
    expect(answer.headers).toMatchObject({ "content-encoding": encoding, vary: "Accept-Encoding" });
    expect(JSON.parse(undo(answer.body).toString())).toMatchObject(JSON.parse(body) as object);
  });

  test("CORS: a preflight, a response and an error for allowed pages, nothing for others", async () => {
    for (const path of ["/v1/books/b", "/gateway.test.v1.Library/GetBook"]) {
      const headers = { origin, "access-control-request-method": "PATCH", "access-control-request-headers": "x-a" };
      expect(await call(`OPTIONS ${path}`, headers)).toMatchObject({
        status: 204,
        headers: {
          "access-control-allow-origin": origin,
          "access-control-allow-credentials": "true",
          "access-control-allow-methods": expect.stringContaining("PATCH"),
          "access-control-allow-headers": "x-a",
        },
      });
    }
    for (const path of ["/v1/books/b", "/nope"]) {
      expect((await call(`GET ${path}`, { origin })).headers["access-control-allow-origin"]).toBe(origin);
      const other = await call(`GET ${path}`, { origin: "https://evil.example" });
      expect(other.headers["access-control-allow-origin"]).toBeUndefined();
    }
  });
});
