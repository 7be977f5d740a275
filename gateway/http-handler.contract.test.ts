import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type HandlerContext } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { rawRequest } from "./test/support/raw-request.ts";
import {
  echoMethods,
  type Loose,
  libraryMethods,
  startTestServer,
  type TestServer,
  testMessage,
  testService,
  testSpec,
} from "./test/support/test-api.ts";

const json = { "content-type": "application/json" };

describe("the HTTP port", () => {
  let server: TestServer;
  let aborted: { after: number; reason: unknown }[] = [];

  beforeAll(async () => {
    const echo = echoMethods();
    server = await startTestServer({
      specs: [
        testSpec("Library", libraryMethods()),
        testSpec("Echo", {
          ...echo,
          wait: async (request: Loose, context: HandlerContext) => {
            const start = performance.now();
            context.signal.addEventListener("abort", () => {
              aborted.push({ after: performance.now() - start, reason: context.signal.reason });
            });
            return echo["wait"]?.(request, context);
          },
        }),
      ],
      heartbeatMs: 40,
      cors: { origins: ["https://shop.example"], credentials: true },
      openapi: {
        json: '{"openapi":"3.1.1","info":{"title":"Books & more"}}',
        yaml: "openapi: 3.1.1\n",
        services: { "test.Library": { json: "{}", yaml: "a: 1\n" }, "test.Echo": { json: "[]", yaml: "b: 2\n" } },
      },
      requestHeaders: ["x-shop-*", "if-match", "authorization"],
    });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  describe("HttpBody", () => {
    test("should return the bytes with their content type", async () => {
      const answer = await rawRequest(server.url, "/v1/shelves/1/books/2/cover");
      expect(answer.headers["content-type"]).toBe("image/svg+xml");
      expect(answer.body.toString()).toBe("<svg/>");
    });

    test("should accept bytes as a field of the request", async () => {
      const body = Buffer.from([0, 255, 1]);
      const answer = await rawRequest(server.url, "/v1/shelves/1/books/2/cover?loud=true", {
        method: "PUT",
        headers: { "content-type": "image/png" },
        body,
      });
      expect(answer.headers["content-type"]).toBe("image/png");
      expect(answer.body).toEqual(body);
    });

    test("should stream bytes in, in chunks, without the limit of whole bodies", async () => {
      const body = Buffer.alloc(6 * 1024 * 1024, 7);
      const answer = await rawRequest(server.url, "/v1/books:upload", {
        method: "POST",
        headers: { "content-type": "text/csv" },
        body,
      });
      const result = JSON.parse(answer.body.toString()) as Loose;
      expect(result).toMatchObject({ byteCount: String(body.length), contentType: "text/csv" });
      expect(result["messageCount"]).toBeGreaterThan(20);
    });

    test("should set the fields of path and query in the first message of an upload, even if it is empty", async () => {
      const answer = await rawRequest(server.url, "/v1/shelves/9:upload", { method: "POST", body: "" });
      expect(JSON.parse(answer.body.toString())).toMatchObject({
        parent: "shelves/9",
        messageCount: 1,
        byteCount: "0",
      });
    });

    test("should decode a streamed body", async () => {
      const answer = await rawRequest(server.url, "/v1/books:upload", {
        method: "POST",
        headers: { "content-type": "text/csv", "content-encoding": "gzip" },
        body: gzipSync("a,b\n1,2\n"),
      });
      expect(JSON.parse(answer.body.toString())).toMatchObject({ byteCount: "8" });
    });

    test("should stream bytes out", async () => {
      const answer = await rawRequest(server.url, "/v1/books:download?byte_count=1000000");
      expect(answer.headers["content-type"]).toBe("application/x-books");
      expect(answer.body).toHaveLength(1_000_000);
    });

    test("should close the connection if streaming bytes out fails", async () => {
      const call = rawRequest(server.url, "/v1/books:download?byte_count=1000000&fail_after=200000");
      await expect(call).rejects.toThrow();
    });
  });

  describe("deadlines and disconnects", () => {
    test.each([
      ["grpc-timeout", "50m"],
      ["connect-timeout-ms", "50"],
      ["x-server-timeout", "0.05"],
    ])("should end the call after %s: %s", async (name, value) => {
      aborted = [];
      const answer = await rawRequest(server.url, "/wait?duration=5s", { headers: { [name]: value } });
      expect(answer.status).toBe(504);
      expect(aborted).toMatchObject([{ reason: { code: Code.DeadlineExceeded } }]);
    });

    test("should return 504 even if the implementation ignores its signal", async () => {
      const answer = await rawRequest(server.url, "/wait?duration=0.4s&deaf=true", {
        headers: { "grpc-timeout": "50m" },
      });
      expect(answer.status).toBe(504);
    });

    test("should reject a malformed timeout", async () => {
      const answer = await rawRequest(server.url, "/wait", { headers: { "grpc-timeout": "soon" } });
      expect(answer.status).toBe(400);
      expect(answer.body.toString()).toContain("INVALID_TIMEOUT");
    });

    test("should notify the implementation that the client has disconnected", async () => {
      aborted = [];
      const { port } = new URL(server.url);
      const outgoing = httpRequest({ host: "127.0.0.1", port, path: "/wait?duration=5s" });
      outgoing.on("error", () => undefined);
      outgoing.end();
      await sleep(100);
      const left = performance.now();
      outgoing.destroy();
      while (aborted.length === 0 && performance.now() - left < 2000) await sleep(2);
      expect(aborted).toMatchObject([{ reason: { code: Code.Canceled } }]);
    });
  });

  describe("compression", () => {
    const body = JSON.stringify({ stringField: "x".repeat(5000) });

    test.each([
      ["br, gzip", "br", brotliDecompressSync],
      ["gzip, br;q=0.5", "gzip", gunzipSync],
    ] as const)("should compress for Accept-Encoding: %s with %s", async (accept, encoding, undo) => {
      const answer = await rawRequest(server.url, "/echo", {
        method: "POST",
        headers: { ...json, "accept-encoding": accept },
        body,
      });
      expect(answer.headers).toMatchObject({ "content-encoding": encoding, vary: "Accept-Encoding" });
      expect(JSON.parse(undo(answer.body).toString())).toMatchObject(JSON.parse(body) as object);
    });

    test("should not compress small responses, or for other clients", async () => {
      const small = await rawRequest(server.url, "/v1/books/b", { headers: { "accept-encoding": "gzip" } });
      expect(small.headers["content-encoding"]).toBeUndefined();
      const plain = await rawRequest(server.url, "/echo", { method: "POST", headers: json, body });
      expect(plain.headers["content-encoding"]).toBeUndefined();
    });

    test("should read compressed bodies and reject malformed ones", async () => {
      const send = (encoding: string, bytes: Buffer) =>
        rawRequest(server.url, "/echo", {
          method: "POST",
          headers: { ...json, "content-encoding": encoding },
          body: bytes,
        });
      expect((await send("gzip", gzipSync(body))).status).toBe(200);
      expect((await send("br", brotliCompressSync(body))).status).toBe(200);
      expect((await send("gzip", Buffer.from(body))).status).toBe(400);
      expect((await send("lzma", Buffer.from(body))).status).toBe(415);
    });
  });

  describe("CORS", () => {
    const origin = "https://shop.example";

    test("should respond to a preflight on REST and on RPC paths", async () => {
      for (const path of ["/v1/books/b", "/gateway.test.v1.Library/GetBook"]) {
        const answer = await rawRequest(server.url, path, {
          method: "OPTIONS",
          headers: { origin, "access-control-request-method": "PATCH", "access-control-request-headers": "x-a" },
        });
        expect(answer.status).toBe(204);
        expect(answer.headers).toMatchObject({
          "access-control-allow-origin": origin,
          "access-control-allow-credentials": "true",
          "access-control-allow-headers": "x-a",
        });
      }
    });

    test("should let the page read errors, and not let others", async () => {
      const ours = await rawRequest(server.url, "/nope", { headers: { origin } });
      expect(ours.headers["access-control-allow-origin"]).toBe(origin);
      const theirs = await rawRequest(server.url, "/nope", { headers: { origin: "https://evil.example" } });
      expect(theirs.headers["access-control-allow-origin"]).toBeUndefined();
      expect(theirs.headers["vary"]).toBe("Origin");
    });
  });

  describe("headers", () => {
    test("should forward only headers of the allow-list", async () => {
      const answer = await rawRequest(
        server.url,
        "/metadata?names=x-shop-a&names=authorization&names=x-internal-user&names=grpc-timeout&names=cookie",
        { headers: { "x-shop-a": "1", authorization: "Bearer x", "x-internal-user": "root", cookie: "a=b" } },
      );
      expect(JSON.parse(answer.body.toString())).toEqual({ values: { "x-shop-a": "1", authorization: "Bearer x" } });
    });

    test("should return the implementation's headers, and its trailers as Grpc-Trailer-", async () => {
      const answer = await rawRequest(server.url, "/v1/shelves/1/books", { method: "POST", headers: json, body: "{}" });
      expect(answer.headers).toMatchObject({ "x-shelf": "first", "grpc-trailer-x-left": "3" });
    });

    test("should serve HEAD as GET without the body", async () => {
      const get = await rawRequest(server.url, "/v1/books/b");
      const head = await rawRequest(server.url, "/v1/books/b", { method: "HEAD" });
      expect(head.body).toHaveLength(0);
      expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
      expect(head.headers["etag"]).toBe('"v1"');
    });
  });

  describe("errors", () => {
    test("should carry ErrorInfo also if the gateway itself rejects the request", async () => {
      const reasonOf = async (path: string, init: Parameters<typeof rawRequest>[2] = {}) => {
        const { body } = await rawRequest(server.url, path, init);
        const { details } = JSON.parse(body.toString()) as { details: { reason?: string }[] };
        return details[0]?.reason;
      };
      expect(await reasonOf("/nope")).toBe("ROUTE_NOT_FOUND");
      expect(await reasonOf("/echo", { method: "DELETE" })).toBe("METHOD_NOT_ALLOWED");
      expect(await reasonOf("/echo", { method: "POST", headers: json, body: "{" })).toBe("MALFORMED_JSON");
      expect(await reasonOf("/echo?zzz=1")).toBe("INVALID_REQUEST");
    });

    test("should not expose exceptions of an implementation", async () => {
      const answer = await rawRequest(server.url, "/fail/0?message=secret");
      expect(answer.status).toBe(500);
      expect(answer.body.toString()).not.toContain("secret");
    });

    test.each([
      ["aib", "aip193", { error: { code: 404, status: "NOT_FOUND", message: "m" } }, "application/json"],
      ["rfc", "problem", { status: 404, title: "NOT_FOUND", detail: "m", code: 5 }, "application/problem+json"],
    ] as const)("should write errors as %s by option", async (_, errorFormat, body, type) => {
      await using other = await startTestServer({ errorFormat });
      const answer = await rawRequest(other.url, "/fail/5?message=m");
      expect(JSON.parse(answer.body.toString())).toMatchObject(body);
      expect(answer.headers["content-type"]).toBe(type);
    });

    test("should drop unknown fields and parameters if lenient", async () => {
      await using other = await startTestServer({ lenient: true });
      const query = await rawRequest(other.url, "/echo?zzz=1&string_field=a");
      expect(query.status).toBe(200);
      const body = await rawRequest(other.url, "/echo", { method: "POST", headers: json, body: '{"zzz":1}' });
      expect(body.status).toBe(200);
    });

    test("should write proto names and omit defaults by option", async () => {
      await using other = await startTestServer({ json: { protoNames: true, emitDefaults: false } });
      const answer = await rawRequest(other.url, "/echo?string_field=a");
      expect(answer.body.toString()).toBe('{"string_field":"a"}');
    });
  });

  describe("Connect and gRPC-Web beside it", () => {
    const transports = [
      ["Connect with JSON", () => createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" })],
      [
        "Connect with proto",
        () => createConnectTransport({ baseUrl: server.url, httpVersion: "1.1", useBinaryFormat: true }),
      ],
      ["gRPC-Web", () => createGrpcWebTransport({ baseUrl: server.url, httpVersion: "1.1" })],
    ] as const;

    test.each(transports)("should respond the same on %s, errors and metadata included", async (_, transport) => {
      const client = createClient(testService("Library"), transport()) as unknown as Record<
        string,
        (request: unknown, options?: object) => Promise<Loose>
      >;
      const seen: Record<string, string | null> = {};
      const book = await client["createBook"]?.(
        { parent: "shelves/1", book: create(testMessage("Book"), { title: "T" } as never) },
        {
          onHeader: (header: Headers) => {
            seen["header"] = header.get("x-shelf");
          },
          onTrailer: (trailer: Headers) => {
            seen["trailer"] = trailer.get("x-left");
          },
        },
      );
      expect(book).toMatchObject({ title: "T", name: "shelves/1/books/new" });
      expect(seen).toEqual({ header: "first", trailer: "3" });

      const echo = createClient(testService("Echo"), transport()) as unknown as Record<
        string,
        (request: unknown) => Promise<Loose>
      >;
      const error = await echo["fail"]?.({ code: 9, message: "no", reason: "WHY" }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ConnectError);
      expect(error).toMatchObject({ code: Code.FailedPrecondition, rawMessage: "no" });
      expect((error as ConnectError).details).toMatchObject([{ type: "google.rpc.ErrorInfo" }]);
    });

    test("should respond to an unknown RPC without a REST body", async () => {
      const answer = await rawRequest(server.url, "/no.Such/Method", {
        method: "POST",
        headers: { "content-type": "application/grpc-web+proto" },
        body: "",
      });
      expect(answer.status).toBe(404);
      expect(answer.body).toHaveLength(0);
    });
  });

  describe("documents", () => {
    test("should serve OpenAPI and a page with a strict policy", async () => {
      const page = await rawRequest(server.url, "/docs");
      expect(page.body.toString()).toContain("<title>Books &amp; more</title>");
      expect(page.headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'");
      expect(page.headers).toMatchObject({ "referrer-policy": "no-referrer", "x-content-type-options": "nosniff" });
      for (const path of [
        "/openapi.json",
        "/openapi.yaml",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/docs/start.js",
      ]) {
        expect((await rawRequest(server.url, path)).status).toBe(200);
      }
      expect((await rawRequest(server.url, "/openapi/test.Echo.json")).body.toString()).toBe("[]");
      const yaml = await rawRequest(server.url, "/openapi/test.Library.yaml");
      expect([yaml.headers["content-type"], yaml.body.toString()]).toEqual(["application/yaml", "a: 1\n"]);
      const start = (await rawRequest(server.url, "/docs/start.js")).body.toString();
      expect(start).toContain("/openapi/test.Echo.json");
      expect(start).toContain("persistAuthorization: false");
      expect((await rawRequest(server.url, "/openapi/test.None.json")).status).toBe(404);
      expect((await rawRequest(server.url, "/docs/package.json")).status).toBe(404);
      expect((await rawRequest(server.url, "/docs/../package.json")).status).toBe(404);
      const messageOf = async (path: string) =>
        JSON.parse((await rawRequest(server.url, path)).body.toString()).message;
      const nothing = "no route matches this path";
      expect(await messageOf("/")).toBe(`${nothing}; the API is described at /docs`);
      expect(await messageOf("/shelves/1/boks")).toBe(
        `${nothing}; did you mean GET /v1/shelves/1/books? The API is described at /docs`,
      );
    });
  });
});
