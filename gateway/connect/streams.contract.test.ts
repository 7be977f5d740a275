import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { rawRequest } from "../test/support/raw-request.ts";
import { startTestServer, type TestServer } from "../test/support/test-api.ts";

describe("a stream of Connect or gRPC-Web whose message cannot be decoded", () => {
  let server: TestServer;
  const errors: unknown[] = [];

  beforeAll(async () => {
    server = await startTestServer({ onError: (error) => errors.push(error) });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const send = async (method: string, contentType: string) => {
    const message = Buffer.from([0, 0, 0, 0, 2, 0x0a, 0xff]);
    const init = { method: "POST", headers: { "content-type": contentType }, body: message };
    return (await rawRequest(server.url, `/gateway.test.v1.Library/${method}`, init)).body.toString("latin1");
  };

  test.each(["WatchBooks", "ImportBooks", "Chat"])("should be the client's error: %s", async (method) => {
    expect(await send(method, "application/connect+proto")).toContain('"code":"invalid_argument"');
    expect(await send(method, "application/grpc-web+proto")).toMatch(/grpc-status: 3\r\n/i);
    expect(errors).toEqual([]);
  });
});
