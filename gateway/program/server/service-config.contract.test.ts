import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Server } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createHttpHandler } from "../../http-handler.ts";
import { readServiceConfig } from "../../routing/service-config.ts";
import { type GrpcUpstream, startGrpcUpstream } from "../../test/support/grpc-upstream.ts";
import { rawRequest } from "../../test/support/raw-request.ts";
import { startProgram, testDescriptorSet } from "../../test/support/start-program.ts";
import { libraryMethods, startUnwatchedServer, testSpec } from "../../test/support/test-api.ts";

const http = `http:
  fully_decode_reserved_expansion: true
  rules:
  - selector: gateway.test.v1.Library.GetBook
    get: /v9/{name=books/**}
    additional_bindings:
    - get: /v9/alias/{name}
`;
const mixins = `apis:
- name: gateway.test.v1.Library
- name: google.longrunning.Operations
- name: google.cloud.location.Locations
- name: google.iam.v1.IAMPolicy
${http}  - selector: google.longrunning.Operations.GetOperation
    get: /v9/{name=operations/*}
  - selector: google.cloud.location.Locations.ListLocations
    get: /v9/{name=projects/*}/locations
  - selector: google.iam.v1.IAMPolicy.GetIamPolicy
    get: /v9/{resource=books/*}:getIamPolicy
`;

/** Serves the mixins: an operation with the name in the request, and nothing else. */
function addMixins(server: Server): void {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const method = (path: string) => ({
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  });
  const echo = (call: { request: Buffer }, done: (error: null, answer: Buffer) => void): void =>
    done(null, call.request);
  const empty = (_: unknown, done: (error: null, answer: Buffer) => void): void => done(null, Buffer.alloc(0));
  server.addService(
    {
      getOperation: method("/google.longrunning.Operations/GetOperation"),
      listLocations: method("/google.cloud.location.Locations/ListLocations"),
      getIamPolicy: method("/google.iam.v1.IAMPolicy/GetIamPolicy"),
    },
    { getOperation: echo as never, listLocations: empty as never, getIamPolicy: empty as never },
  );
}

describe("a service configuration", () => {
  let upstream: GrpcUpstream;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "service-config-"));
    upstream = await startGrpcUpstream([testSpec("Library", libraryMethods())], { extend: addMixins });
  });
  afterAll(async () => {
    await upstream[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const start = (...args: string[]) =>
    startProgram(["--no-watch", "--descriptor-set", testDescriptorSet, "--upstream", upstream.address, ...args]);
  const get = async (url: string, path: string): Promise<unknown> => {
    const { status, body } = await rawRequest(url, path);
    return status === 200 ? JSON.parse(body.toString()) : status;
  };

  test("replaces the annotations of the program's methods, and serves mixins", async () => {
    await using program = await start("--service-config", write("api.yaml", mixins));
    expect(await get(program.url, "/v9/books/a%2Fb/c")).toMatchObject({ name: "books/a/b/c" });
    expect(await get(program.url, "/v9/alias/a%2Fb")).toMatchObject({ name: "a/b" });
    expect(await get(program.url, "/v1/books/a")).toBe(404);
    expect(await get(program.url, "/v9/operations/7")).toMatchObject({ name: "operations/7" });
    expect(await get(program.url, "/v9/projects/p/locations")).toMatchObject({ locations: [] });
    expect(await get(program.url, "/v9/books/1:getIamPolicy")).toMatchObject({ bindings: [] });
    const document = (await get(program.url, "/openapi.json")) as { paths: object };
    expect(Object.keys(document.paths)).toContain("/v9/operations/{operation}");
  });

  test("can be named in the configuration file, relative to its folder", async () => {
    write("api.yaml", mixins);
    await using program = await start("--config", write("gateway.yaml", "serviceConfig: api.yaml"));
    expect(await get(program.url, "/v9/alias/x")).toMatchObject({ name: "x" });
  });

  test.each([
    ["apis:\n- name: a.B\n", /line 2: a\.B is neither in the descriptor set nor a known mixin/],
    ["http:\n  rules:\n  - selector: a.B.C\n    get: /x", /line 3, selector a\.B\.C: there is no such method/],
    [
      "http:\n  rules:\n  - selector: gateway.test.v1.Library.GetBook\n    get: /v1/{name}/",
      /wrong\.yaml, line 3: gateway\.test\.v1\.Library\.GetBook: path template/,
    ],
    ["http: {", /wrong\.yaml:\n {2}line 1: /],
  ])("that is invalid stops the program with line and selector: %j", async (text, message) => {
    await expect(start("--service-config", write("wrong.yaml", text))).rejects.toThrow(message);
  });

  test("replaces the annotations of the library's methods", async () => {
    const specs = [testSpec("Library", libraryMethods())];
    const serviceConfig = readServiceConfig(http);
    await using server = await startUnwatchedServer({ specs, serviceConfig });
    expect(await get(server.url, "/v9/books/a%2Fb/c")).toMatchObject({ name: "books/a/b/c" });
    expect(await get(server.url, "/v1/books/a")).toBe(404);
    const ambiguous = readServiceConfig(
      http.replace("/v9/books", "/v9/x").replace("/v9/alias/{name}", "/v9/{name=books/**}"),
    );
    expect(() => createHttpHandler({ specs, serviceConfig: ambiguous })).toThrow(/line 4 of the service configuration/);
  });
});
