import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { describeMariadbStorage, type Storage } from "../../../services/test/support/start-docket.ts";
import { type Platform, platforms } from "../testing/events.ts";
import { adminKey, functionCommand, functionEnvironment } from "../testing/function-program.ts";
import { type Instance, startInstance } from "../testing/runtime-stub.ts";

describeMariadbStorage("a function under the Runtime API", (createStorage) => {
  let storage: Storage;
  let instance: Instance;
  const [platform] = platforms as readonly [Platform];
  const get = (url: string, headers: readonly (readonly [string, string])[] = []) =>
    platform.eventOf({
      method: "GET",
      url,
      headers: [["authorization", `Bearer ${adminKey}`], ...headers],
      body: Buffer.alloc(0),
      address: "192.0.2.1",
    });

  beforeAll(async () => {
    storage = await createStorage();
    instance = await startInstance(functionCommand, {
      ...storage.environment,
      ...functionEnvironment,
      DOCKET_FUNCTION_STREAMING: "true",
    });
  });
  afterAll(async () => {
    await instance?.[Symbol.asyncDispose]();
    await storage?.[Symbol.asyncDispose]();
  });

  test("streams a response: its head, eight zeros, its body", async () => {
    const { text, headers } = await instance.call(get("/v1/orders"));
    expect(headers).toMatchObject({
      "lambda-runtime-function-response-mode": "streaming",
      "content-type": "application/vnd.awslambda.http-integration-response",
      "transfer-encoding": "chunked",
    });
    const [prelude = "", body] = text.split("\0".repeat(8));
    expect(JSON.parse(prelude)).toMatchObject({
      statusCode: 200,
      headers: {
        "content-type": "application/json",
        "server-timing": expect.stringMatching(/^init;dur=[\d.]+, invoker;dur=[\d.]+$/),
      },
    });
    expect(JSON.parse(body ?? "")).toEqual({ orders: [], nextPageToken: "" });
  }, 60_000);

  test("X-Ray's trace is that of the log, unless the caller has one of its own", async () => {
    await instance.call(get("/v1/orders"));
    expect(instance.logged()).toContain('"trace_id":"5759e988bd862e3fe1be46a994272793"');
  });

  test("answers after it was suspended", async () => {
    instance.suspend();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await instance.call(get("/v1/orders"))).text).toContain('"statusCode":200');
  });

  test("ends within 300 ms of SIGTERM, and with 0", async () => {
    const began = performance.now();
    instance.child.kill("SIGTERM");
    const [code] = await once(instance.child, "exit");
    expect(code).toBe(0);
    // Besides the budget, a busy machine takes its time.
    expect(performance.now() - began).toBeLessThan(1000);
  });
});
