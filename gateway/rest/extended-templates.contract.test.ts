import { describe, expect, test } from "@jest/globals";
import { createHttpHandler } from "../http-handler.ts";
import { readServiceConfig } from "../routing/service-config.ts";
import { rawRequest } from "../test/support/raw-request.ts";
import { startUnwatchedServer, testSpec } from "../test/support/test-api.ts";

/** The binding of Firestore's ListDocuments, on fields of the test API. */
const serviceConfig = readServiceConfig(`http:
  rules:
  - selector: gateway.test.v1.Echo.EchoQuery
    get: /v1/{string_field=projects/*/databases/*/documents/**}/{int32_field}
  - selector: gateway.test.v1.Echo.EchoBody
    get: /
`);
const specs = [testSpec("Echo", { echoQuery: (request) => request, echoBody: () => ({ stringField: "root" }) })];

describe("templates beyond http.proto", () => {
  test("are an error", () => {
    expect(() => createHttpHandler({ specs, serviceConfig })).toThrow(/"\*\*" must be the last segment/);
  });

  test("are served by option: ** before the end, and /", async () => {
    await using server = await startUnwatchedServer({
      specs,
      serviceConfig,
      extendedTemplates: true,
      json: { emitDefaults: false },
    });
    const get = async (path: string) => {
      const { status, body } = await rawRequest(server.url, path);
      return status === 200 ? JSON.parse(body.toString()) : status;
    };
    const parent = "projects/p/databases/d/documents";
    expect(await get(`/v1/${parent}/a/b%2Fc/7`)).toEqual({ stringField: `${parent}/a/b%2Fc`, int32Field: 7 });
    expect(await get(`/v1/${parent}/7`)).toEqual({ stringField: parent, int32Field: 7 });
    expect(await get(`/v1/${parent}`)).toBe(404);
    expect(await get(`/v1/${parent}//7`)).toBe(404);
    expect(await get("/")).toEqual({ stringField: "root" });
  });
});
