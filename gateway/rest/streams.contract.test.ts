import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { rawRequest } from "../test/support/raw-request.ts";
import { type Loose, startTestServer, type TestServer } from "../test/support/test-api.ts";

describe("streams from the client", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ json: { emitDefaults: false }, cors: { origins: ["https://shop.example"] } });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const post = async (path: string, contentType: string, body: string | Buffer) => {
    const answer = await rawRequest(server.url, path, {
      method: "POST",
      headers: { "content-type": contentType },
      body,
    });
    return { status: answer.status, json: JSON.parse(answer.body.toString()) as Loose };
  };

  describe("NDJSON or array as a client stream", () => {
    test.each([
      ["NDJSON", '{"name":"a"}\n{"name":"b}\\"["}\n'],
      ["concatenated JSON", '{"name":"a"}{"name":"b}\\"["}'],
      ["an array", ' [ {"name":"a"},\n{"name":"b}\\"["} ] '],
    ])("should read %s", async (_, body) => {
      const { json } = await post("/v1/books:import", "application/json", body);
      expect(json).toEqual({ messageCount: 2, names: ["a", 'b}"['] });
    });

    test("should accept an empty body as no messages", async () => {
      expect((await post("/v1/books:import", "application/x-ndjson", "")).json).toEqual({});
    });

    test.each([
      ['{"name":"a"} x', "MALFORMED_JSON"],
      ['{"name":"a"', "MALFORMED_JSON"],
      ['{"nope":1}', "unknown field"],
      ['"text"', "expected an object"],
      ["text", "MALFORMED_JSON"],
      ["}", "MALFORMED_JSON"],
    ])("should refuse %s", async (body, reason) => {
      const { status, json } = await post("/v1/books:import", "application/json", body);
      expect(status).toBe(400);
      expect(JSON.stringify(json)).toContain(reason);
    });
  });

  describe("multipart and form-urlencoded", () => {
    test("should read a form under the rules of the query", async () => {
      const body = "string_field=a+b&nested.name=n&repeated_int32=1&repeated_int32=2&stringMap%5Bk%5D=v";
      const { json } = await post("/echo", "application/x-www-form-urlencoded", body);
      expect(json).toEqual({ stringField: "a b", nested: { name: "n" }, repeatedInt32: [1, 2], stringMap: { k: "v" } });
    });

    test("should read multipart, with files verbatim", async () => {
      const form = new FormData();
      form.set("string_field", "ä\r\nb");
      form.set("bytes_field", new Blob([new Uint8Array([0, 13, 10, 255])]), "x.bin");
      const answer = await fetch(`${server.url}/echo`, { method: "POST", body: form });
      expect(await answer.json()).toEqual({ stringField: "ä\r\nb", bytesField: "AA0K/w==" });
    });

    test.each([
      ["application/x-www-form-urlencoded", "zzz=1&bool_field=x", "boolField"],
      ["multipart/form-data", "--x", "MALFORMED_FORM"],
      ["multipart/form-data; boundary=x", "--x\r\n\r\n", "MALFORMED_FORM"],
    ])("should refuse %s %j", async (contentType, body, text) => {
      const { status, json } = await post("/echo", contentType, body);
      expect(status).toBe(400);
      expect(JSON.stringify(json)).toContain(text);
    });

    test("should read JSON that curl sends with a form's content type", async () => {
      expect((await post("/echo", "application/x-www-form-urlencoded", '{"stringField":"a"}')).json).toEqual({
        stringField: "a",
      });
    });
  });

  describe("WebSocket for bidi", () => {
    const open = (path: string, headers: Record<string, string> = {}): WebSocket =>
      new WebSocket(server.url.replace("http", "ws") + path, { headers });

    const talk = async (socket: WebSocket, messages: string[]): Promise<{ answers: unknown[]; code: number }> => {
      const answers: unknown[] = [];
      socket.on("message", (data: Buffer) => answers.push(JSON.parse(data.toString())));
      await once(socket, "open");
      for (const message of messages) socket.send(message);
      const [code] = (await once(socket, "close")) as [number];
      return { answers, code };
    };

    test("should carry messages both ways, with the path's variables in each", async () => {
      const { answers, code } = await talk(open("/v1/chat/lobby"), ['{"text":"a"}', '{"text":"b"}', ""]);
      expect(answers).toEqual([
        { room: "lobby", text: "echo a" },
        { room: "lobby", text: "echo b" },
      ]);
      expect(code).toBe(1000);
    });

    test("should end with the error as a last message", async () => {
      const { answers, code } = await talk(open("/v1/chat/lobby"), ['{"text":"a"}', '{"nope":1}']);
      expect(answers).toMatchObject([{ text: "echo a" }, { error: { code: 3 } }]);
      expect(code).toBe(1008);
    });

    test("should serve a server stream too", async () => {
      const { answers } = await talk(open("/v1/books:watch"), ['{"count":2}', ""]);
      expect(answers).toMatchObject([{ resumeToken: "1" }, { resumeToken: "2" }]);
    });

    test.each([
      ["/nope", {}, 404],
      ["/v1/books/b", {}, 400],
      ["/v1/chat/lobby", { origin: "https://evil.example" }, 403],
    ])("should refuse %s with %j: %d", async (path, headers, status) => {
      const socket = open(path, headers as Record<string, string>);
      socket.on("error", () => undefined);
      const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
      expect(response.statusCode).toBe(status);
      socket.terminate();
    });

    test("should let pages of allowed origins connect, and explain how to connect without a WebSocket", async () => {
      const socket = open("/v1/chat/lobby", { origin: "https://shop.example" });
      await once(socket, "open");
      socket.close();
      const plain = await rawRequest(server.url, "/v1/chat/lobby");
      expect(plain.status).toBe(426);
      expect(plain.headers["upgrade"]).toBe("websocket");
    });
  });
});
