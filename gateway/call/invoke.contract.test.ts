import type { Interceptor } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { rawRequest } from "../test/support/raw-request.ts";
import { libraryMethods, type Methods, startTestServer, type TestServer, testSpec } from "../test/support/test-api.ts";

/** Passes on a copied request and returns a copied response. */
const copying: Interceptor = (next) => async (request) => {
  const header = new Headers(request.header);
  header.set("x-request-id", "replaced");
  const answer = await next({ ...request, header } as typeof request);
  return { ...answer, header: new Headers({ "x-answer": "replaced" }) } as typeof answer;
};

/** Returns a copy of the response with the same headers. */
const spreading: Interceptor = (next) => async (request) => ({ ...(await next(request)) }) as never;

describe.each([
  ["that replaces headers", copying, "replaced", "replaced"],
  ["that copies what it heard", spreading, "sent", undefined],
])("an interceptor %s", (_, interceptor, title, replaced) => {
  let server: TestServer;
  beforeAll(async () => {
    const getBook: Methods[string] = (request, context) => ({
      title: context.requestHeader.get("x-request-id") ?? "",
      name: request["name"],
    });
    const library = testSpec("Library", { ...libraryMethods(), getBook });
    server = await startTestServer({ specs: [library], interceptors: [interceptor] });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const rpc = { method: "POST", body: '{"name":"b"}' };
  test.each([
    ["REST", "/v1/books/b", { headers: { "x-request-id": "sent" } }],
    [
      "Connect",
      "/gateway.test.v1.Library/GetBook",
      { ...rpc, headers: { "content-type": "application/json", "x-request-id": "sent" } },
    ],
  ])("should take effect on %s", async (_, path, init) => {
    const answer = await rawRequest(server.url, path, init);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ name: "b", title });
    expect(answer.headers["x-answer"]).toBe(replaced);
  });
});
