import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { rawRequest } from "../../test/support/raw-request.ts";
import {
  echoMethods,
  libraryMethods,
  startUnwatchedServer,
  type TestServer,
  testSpec,
} from "../../test/support/test-api.ts";

/** An error that throws again when it is written, like one whose text exceeds the maximum string length. */
function unwritable(): ConnectError {
  const error = new ConnectError("lost", Code.DataLoss);
  Object.defineProperty(error, "details", {
    get() {
      throw new RangeError("Invalid string length");
    },
  });
  return error;
}

const internal = { code: 13, message: "internal error", details: [] };

describe("an error that cannot be written", () => {
  let server: TestServer;
  const reported: unknown[] = [];

  beforeAll(async () => {
    server = await startUnwatchedServer({
      specs: [
        testSpec("Library", {
          ...libraryMethods(),
          getBook: () => {
            throw unwritable();
          },
          watchBooks: async function* () {
            yield { resumeToken: "1" };
            throw unwritable();
          } as never,
          chat: async function* () {
            yield { text: "hello" };
            throw unwritable();
          } as never,
        }),
        testSpec("Echo", echoMethods()),
      ],
      onError: (error) => {
        reported.push(error);
        throw new Error("the log is broken too");
      },
    });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test("is a fixed 500 on REST, and is reported", async () => {
    const answer = await rawRequest(server.url, "/v1/shelves/1/books/2");

    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.body.toString())).toEqual(internal);
    expect(reported.some((error) => error instanceof RangeError)).toBe(true);
  });

  test("is the last element of a stream on REST", async () => {
    const answer = await rawRequest(server.url, "/v1/books:watch?count=1");

    expect(answer.status).toBe(200);
    const lines = answer.body.toString().trim().split("\n");
    expect(JSON.parse(lines.at(-1) ?? "")).toEqual({ error: internal });
  });

  test("is the last message of a WebSocket", async () => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/chat/lobby`);
    const texts: string[] = [];
    socket.on("open", () => socket.send("{}"));
    socket.on("message", (data: Buffer) => texts.push(data.toString()));
    const code = await new Promise((resolve, reject) => {
      socket.on("close", resolve);
      socket.on("error", reject);
    });

    expect(code).toBe(1011);
    expect(JSON.parse(texts.at(-1) ?? "")).toEqual({ error: internal });
  });

  test("is a fixed 500 on Connect", async () => {
    const answer = await rawRequest(server.url, "/gateway.test.v1.Library/GetBook", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });

    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.body.toString())).toEqual({ code: "internal", message: "internal error" });
  });

  test("is a fixed INTERNAL on gRPC-Web", async () => {
    const answer = await rawRequest(server.url, "/gateway.test.v1.Library/GetBook", {
      method: "POST",
      headers: { "content-type": "application/grpc-web+proto" },
      body: Buffer.alloc(5),
    });

    expect(answer.status).toBe(200);
    expect(answer.headers["grpc-status"]).toBe("13");
  });

  test("leaves the server serving", async () => {
    const answer = await rawRequest(server.url, "/v1/shelves/1/books");

    expect(answer.status).toBe(200);
  });
});
