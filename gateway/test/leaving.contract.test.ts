import { once } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createHttpHandler } from "../http-handler.ts";
import { http1Ways, http2Ways, type WayToLeave } from "./support/leaving-clients.ts";
import { until } from "./support/start-program.ts";
import { libraryMethods, startUnwatchedServer, type TestServer, testRegistry, testSpec } from "./support/test-api.ts";

describe("a client that leaves in mid-stream does not look as if it had finished", () => {
  /** How the requests of each call ended: after how many messages, and whether cleanly. */
  const calls: { messages: number; end: "open" | "clean" | "broken" }[] = [];

  const follow = async (requests: unknown): Promise<void> => {
    const call: (typeof calls)[number] = { messages: 0, end: "open" };
    calls.push(call);
    try {
      for await (const _ of requests as AsyncIterable<unknown>) call.messages += 1;
      call.end = "clean";
    } catch (error) {
      call.end = "broken";
      throw error;
    }
  };
  const methods = {
    ...libraryMethods(),
    importBooks: async (requests: unknown) => {
      await follow(requests);
      return {};
    },
    uploadBooks: async (requests: unknown) => {
      await follow(requests);
      return {};
    },
    chat: async function* (requests: unknown) {
      await follow(requests);
      yield* [];
    } as never,
  };
  const specs = [testSpec("Library", methods)];
  let http1: TestServer;
  const http2 = createHttp2Server(createHttpHandler({ specs, registry: testRegistry }));

  beforeAll(async () => {
    http1 = await startUnwatchedServer({ specs });
    http2.listen(0, "127.0.0.1");
    await once(http2, "listening");
  });
  afterAll(async () => {
    await http1[Symbol.asyncDispose]();
    await new Promise((resolve) => http2.close(resolve));
  });

  const leave = async ({ open }: WayToLeave, url: string) => {
    calls.length = 0;
    const client = await open(url);
    await until(() => calls[0]?.messages === 1);
    client.leave();
    await until(() => calls[0]?.end !== "open");
    expect(calls).toEqual([{ messages: 1, end: "broken" }]);
  };

  test.each(http1Ways)("$name", (way) => leave(way, http1.url));

  test.each(http2Ways())("$name", (way) => leave(way, `http://127.0.0.1:${(http2.address() as AddressInfo).port}`));
});
