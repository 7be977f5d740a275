import { randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { rawRequest } from "../support/raw-request.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { startTestServer, type TestServer } from "../support/test-api.ts";
import { binaryMessage, nestedMessages, varint } from "../support/wire-bytes.ts";

const mib = 1024 * 1024;
const limit = 4 * mib;
const json = { "content-type": "application/json" };
const rpc = "/gateway.test.v1.Echo/EchoBody";

/** A JSON object of exactly this many bytes with one string, which compresses to about a tenth. */
function objectOf(field: string, bytes: number): Buffer {
  const length = bytes - field.length - 7;
  const text = randomBytes(length >> 4).toString("base64");
  return Buffer.from(JSON.stringify({ [field]: text.padEnd(length, "x") }));
}

/** A message Everything of exactly this many bytes, with a string of more than 2 MiB. */
const messageOf = (bytes: number): Buffer => binaryMessage(1, Buffer.alloc(bytes - 5, "x"));

const envelopeOf = (message: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};

describe("limits", () => {
  let server: TestServer;
  const errors: unknown[] = [];

  beforeAll(async () => {
    server = await startTestServer({ onError: (error) => errors.push(error) });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    expect(errors).toEqual([]);
  });

  const post = async (path: string, body: string | Buffer, headers: Record<string, string> = json) => {
    const answer = await rawRequest(server.url, path, { method: "POST", headers, body });
    return { ...answer, text: answer.body.toString() };
  };

  const postInChunks = (path: string, body: Buffer): Promise<number> =>
    new Promise((resolve, reject) => {
      const outgoing = httpRequest(server.url + path, { method: "POST", headers: json, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      outgoing.on("error", reject);
      for (let at = 0; at < body.length; at += mib) outgoing.write(body.subarray(at, at + mib));
      outgoing.end();
    });

  describe("a body of 4 MiB is accepted, one byte more is 413", () => {
    const compressed = (encoding: string, compress: (body: Buffer) => Buffer) => async (bytes: number) =>
      (await post("/echo", compress(objectOf("stringField", bytes)), { ...json, "content-encoding": encoding })).status;

    test.each([
      ["declared by its length", async (bytes: number) => (await post("/echo", objectOf("stringField", bytes))).status],
      ["in chunks", (bytes: number) => postInChunks("/echo", objectOf("stringField", bytes))],
      ["compressed with gzip", compressed("gzip", gzipSync)],
      ["compressed with br", compressed("br", brotliCompressSync)],
      ["compressed with deflate", compressed("deflate", deflateSync)],
      [
        "as a message of a stream",
        async (bytes: number) => (await post("/v1/books:import", objectOf("title", bytes))).status,
      ],
      [
        "as a message of a stream in chunks",
        (bytes: number) => postInChunks("/v1/books:import", objectOf("title", bytes)),
      ],
    ])("%s", async (_, send) => {
      expect(await send(limit)).toBe(200);
      expect(await send(limit + 1)).toBe(413);
    });

    test("and RESOURCE_EXHAUSTED on Connect and gRPC-Web", async () => {
      const binary = { "content-type": "application/proto" };
      expect((await post(rpc, objectOf("stringField", limit))).status).toBe(200);
      expect(await post(rpc, objectOf("stringField", limit + 1))).toMatchObject({ status: 429 });
      expect((await post(rpc, messageOf(limit), binary)).status).toBe(200);
      expect((await post(rpc, messageOf(limit + 1), binary)).text).toContain("resource_exhausted");
      const web = { "content-type": "application/grpc-web+proto" };
      expect((await post(rpc, envelopeOf(messageOf(limit)), web)).text).toContain("grpc-status: 0");
      const over = await post(rpc, envelopeOf(messageOf(limit + 1)), web);
      expect(`${over.headers["grpc-status"]} ${over.text}`).toMatch(/\b8\b/);
    });
  });

  describe("unbounded nesting is rejected, with the limit in the error", () => {
    const nest = (open: string, depth: number, inner: string, close: string): string =>
      open.repeat(depth) + inner + close.repeat(depth);

    test.each(
      [1000, 50_000].flatMap((depth): [number, string, string][] => [
        [depth, "messages", nest('{"recursive":', depth, "{}", "}")],
        [depth, "a Struct", `{"struct":${nest('{"a":', depth, "1", "}")}}`],
        [depth, "a Value of arrays", `{"value":${nest("[", depth, "", "]")}}`],
        [depth, "a ListValue", `{"listValue":${nest("[", depth, "", "]")}}`],
        [depth, "a map of Values", `{"valueMap":${nest('{"a":', depth, "1", "}")}}`],
        [
          depth,
          "an Any in an Any",
          `{${nest('"any":{"@type":"/gateway.test.v1.Everything",', Math.min(depth, 60_000), '"stringField":"a"', "}")}}`,
        ],
      ]),
    )("%d levels of JSON: %s", async (_depth, _what, body) => {
      const answer = await post("/echo", body);
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.text)).toMatchObject({
        code: 3,
        message: expect.stringMatching(/\b100\b/),
      });
      const onConnect = await post(rpc, body);
      expect(onConnect).toMatchObject({ status: 400, text: expect.stringContaining("invalid_argument") });
    });

    test("100 names are a path of the query, 101 are not, 2,500 neither", async () => {
      const get = (children: number) => rawRequest(server.url, `/echo?nested.${"child.".repeat(children)}name=a`);
      expect((await get(98)).status).toBe(200);
      for (const children of [99, 2500]) {
        const answer = await get(children);
        expect(answer.status).toBe(400);
        expect(answer.body.toString()).toContain("a path has at most 100 names");
        expect(answer.body.length).toBeLessThan(2000);
      }
    });

    test.each([
      ["messages", [93]],
      ["Values and lists of them", [6, 1]],
      ["unknown groups", undefined],
    ])("%s on the wire of Protobuf", async (_, fields) => {
      for (const depth of [1000, 100_000]) {
        const body =
          fields === undefined
            ? Buffer.alloc(depth * 3, varint(9999 * 8 + 3))
            : fields.length === 1
              ? nestedMessages(fields, depth)
              : binaryMessage(74, nestedMessages(fields, depth));
        const answer = await post(rpc, body, { "content-type": "application/proto" });
        expect(answer).toMatchObject({ status: 400, text: expect.stringMatching(/invalid_argument.*recursion/) });
        const web = await post(rpc, envelopeOf(body), { "content-type": "application/grpc-web+proto" });
        expect(web.text).toContain("grpc-status: 3");
      }
    });
  });

  describe("errors do not grow with the request", () => {
    const many = (count: number, make: (at: number) => string): string =>
      Array.from({ length: count }, (_, at) => make(at)).join("");
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const multipart = { "content-type": "multipart/form-data; boundary=x" };
    const part = (name: string): string => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\na\r\n`;

    test.each([
      ["300,000 unknown keys", `{${many(300_000, (at) => `"k${at}":1,`)}"z":1}`, json],
      ["90,000 nulls in a list", `{"repeatedInt32":[${"null,".repeat(90_000)}1]}`, json],
      ["a key of 4 MB", `{"${"x".repeat(4_000_000)}":1}`, json],
      ["a string of 4 MB for a number", `{"int32Field":"${"1".repeat(4_000_000)}"}`, json],
      ["a form of a million fields", "a=1&".repeat(1_000_000), form],
      ["a form with a path of 600,000 names", `nested.${"child.".repeat(600_000)}name=a`, form],
      ["a form with 9,999 unknown fields", many(9999, (at) => `k${at}=1&`), form],
      ["multipart of 50,000 parts", `${many(50_000, (at) => part(`k${at}`))}--x--`, multipart],
      ["multipart with a name of 4 MB", `${part("x".repeat(4_000_000))}--x--`, multipart],
    ])("%s", async (_, body, headers) => {
      const answer = await post("/echo", body, headers);
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.text)).toMatchObject({ code: 3 });
      expect(answer.body.length).toBeLessThan(100_000);
    });
  });

  test("a body of blanks costs no more than its length if none is allowed", async () => {
    const body = `${" ".repeat(2 * mib)}x${" ".repeat(mib)}`;
    const answer = await rawRequest(server.url, "/v1/books/b", { method: "GET", body });
    expect(JSON.parse(answer.body.toString())).toMatchObject({ details: [{ reason: "UNEXPECTED_BODY" }, {}] });
    expect(
      (await rawRequest(server.url, "/v1/books/b", { method: "GET", body: ` {\n } ${" ".repeat(mib)}` })).status,
    ).toBe(200);
  });

  test("a path of thousands of colons or segments is looked up once", async () => {
    for (const path of [":%41".repeat(3900), "/a".repeat(7500), `${"/a".repeat(3500)}${":a".repeat(3500)}`]) {
      expect((await rawRequest(server.url, `/echo${path}`)).status).toBe(404);
    }
  });
});

describe("compression bombs", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startServerProcess("any");
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const blanks = Buffer.alloc(256 * mib, " ");
  const bombs = { gzip: gzipSync(blanks), br: brotliCompressSync(blanks, { params: {} }) };

  test.each([
    ["gzip", "/echo", 413],
    ["br", "/echo", 413],
    ["gzip", "/v1/books:import", 413],
    ["br", "/v1/books:import", 413],
    ["gzip", rpc, 429],
    ["br", rpc, 429],
  ] as const)("256 MiB of blanks in %s to %s are %d", async (encoding, path, status) => {
    const headers = { ...json, "content-encoding": encoding };
    const answers = await Promise.all(
      [1, 2, 3].map(() => rawRequest(server.url, path, { method: "POST", headers, body: bombs[encoding] })),
    );
    expect(answers.map((answer) => answer.status)).toEqual([status, status, status]);
    expect(await server.errors()).toEqual([]);
  });

  test.each(["gzip, gzip", "gzip,br", "identity, gzip", "zstd"])("content-encoding %j is 415", async (encoding) => {
    for (const path of ["/echo", "/v1/books:import"]) {
      const headers = { ...json, "content-encoding": encoding };
      const answer = await rawRequest(server.url, path, { method: "POST", headers, body: gzipSync(bombs.gzip) });
      expect(answer.status).toBe(415);
      expect(answer.body.toString()).toContain("UNSUPPORTED_CONTENT_ENCODING");
    }
  });

  test("a body that is truncated or continues after its end is malformed: 400, whole or as a stream", async () => {
    const whole = gzipSync('{"name":"a"}');
    const headers = { ...json, "content-encoding": "gzip" };
    for (const body of [whole.subarray(0, 20), Buffer.from("junk"), Buffer.concat([whole, Buffer.from("junk")])]) {
      for (const path of ["/echo", "/v1/books:import", "/v1/books:upload"]) {
        const answer = await rawRequest(server.url, path, { method: "POST", headers, body });
        expect(answer.status).toBe(400);
        expect(answer.body.toString()).toContain("MALFORMED_ENCODING");
      }
    }
    expect(await server.errors()).toEqual([]);
  });
});
