import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { create, createFileRegistry, fromBinary, getExtension, setExtension } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createServiceImplSpec, type ServiceImpl } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { http } from "../../gen/google/api/annotations_pb.js";
import { HttpRuleSchema } from "../../gen/google/api/http_pb.js";
import { createHttpHandler } from "../http-handler.ts";
import { rawRequest } from "../test/support/raw-request.ts";
import { testDescriptorSet } from "../test/support/start-program.ts";
import { libraryMethods } from "../test/support/test-api.ts";

/** The test API's Library, with a POST rule for its bidirectional stream, as most such APIs declare it. */
function librarySpec() {
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(testDescriptorSet));
  const methods = set.file.flatMap(({ service }) => service.flatMap(({ method }) => method));
  const options = methods.find(({ name }) => name === "Chat")?.options;
  if (options === undefined) throw new Error("no Chat");
  const rule = getExtension(options, http);
  rule.additionalBindings.push(
    create(HttpRuleSchema, { pattern: { case: "post", value: "/v1/rooms/{room}:talk" }, body: "*" }),
  );
  setExtension(options, http, rule);
  const service = createFileRegistry(set).getService("gateway.test.v1.Library");
  if (service === undefined) throw new Error("no Library");
  return createServiceImplSpec(service, libraryMethods() as unknown as Partial<ServiceImpl<typeof service>>);
}

describe("a bidirectional stream with a POST rule", () => {
  const handler = createHttpHandler({ specs: [librarySpec()] });
  const server = createServer(handler);
  let url: string;
  beforeAll(async () => {
    server.on("upgrade", handler.upgrade);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
  });

  const post = async (body: string, accept: string) => {
    const headers = { "content-type": "application/json", accept };
    const answer = await rawRequest(url, "/v1/rooms/hall:talk", { method: "POST", headers, body });
    return { status: answer.status, text: answer.body.toString() };
  };

  test("should read consecutive messages and respond in the format of Accept", async () => {
    const answers = [
      { room: "hall", text: "echo a" },
      { room: "hall", text: "echo b" },
    ];
    const array = await post('{"text":"a"}\n{"text":"b"}\n', "application/json");
    expect([array.status, JSON.parse(array.text)]).toEqual([200, answers]);
    const lines = await post('[{"text":"a"},{"text":"b"}]', "application/x-ndjson");
    expect(
      lines.text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(answers);
    expect(await post("", "application/json")).toEqual({ status: 200, text: "[]\n" });
  });

  test("should respond to a message before the next one arrives", async () => {
    const outgoing = request(`${url}/v1/rooms/hall:talk`, { method: "POST", agent: false });
    outgoing.write('{"text":"a"}\n');
    const [answer] = (await once(outgoing, "response")) as [NodeJS.ReadableStream];
    const lines: unknown[] = [];
    answer.on("data", (line: Buffer) => {
      lines.push(JSON.parse(line.toString()));
      if (lines.length === 1) outgoing.end('{"text":"b"}\n');
    });
    await once(answer, "end");
    expect(lines).toEqual([
      { room: "hall", text: "echo a" },
      { room: "hall", text: "echo b" },
    ]);
  });

  test("should return the status of an invalid first message, and a last element for a later one", async () => {
    expect(await post('{"nope":1}', "*/*")).toMatchObject({
      status: 400,
      text: expect.stringContaining("unknown field"),
    });
    const { status, text } = await post('{"text":"a"}\n{"nope":1}', "*/*");
    expect(status).toBe(200);
    expect(text).toMatch(/\n\{"error":\{"code":3,"message":"nope: unknown field"/);
  });

  test("should be served over WebSockets at the same path", async () => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/rooms/hall:talk`);
    const answers: unknown[] = [];
    socket.on("message", (data: Buffer) => answers.push(JSON.parse(data.toString())));
    await once(socket, "open");
    socket.send('{"text":"a"}');
    socket.send("");
    await once(socket, "close");
    expect(answers).toEqual([{ room: "hall", text: "echo a" }]);
  });
});
