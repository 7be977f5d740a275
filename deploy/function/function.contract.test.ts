import type { JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { teaOrder } from "../../services/test/support/shop.ts";
import { describeMariadbStorage, type Storage } from "../../services/test/support/start-docket.ts";
import { httpWires, type Outcome, type Wire } from "../../services/test/support/wires.ts";
import { money } from "../../web-client/sdk/money.ts";
import { openApiDocument } from "./testing/documents.ts";
import { type Emulator, hasEmulator, startEmulator } from "./testing/emulator.ts";
import { type Platform, platforms } from "./testing/events.ts";
import { adminKey, functionCommand, functionEnvironment } from "./testing/function-program.ts";
import { type PlatformFront, startPlatformFront } from "./testing/platform-front.ts";

const { createItem, getItem, listItems, adjustStock } = InventoryService.method;
const { createOrder, listOrders, getOrder } = OrderService.method;

type Call = (...[method, request, key]: Parameters<Wire["call"]>) => Promise<Outcome>;

/** Good and bad calls of each kind, with paths, queries and bodies. */
async function script(call: Call): Promise<Outcome[]> {
  const item = { sku: "TEA", title: "Grüner Tee", prices: [money("EUR", "4.50")], stockOnHand: 9n };
  // More than there is, so that its saga ends without a payment provider.
  const order = teaOrder({ externalId: "a b/c", lineItems: [{ sku: "TEA", quantity: 100 }] });
  return [
    await call(createItem, { item, requestId: "tea" }),
    await call(createItem, { item, requestId: "tea" }),
    await call(getItem, { name: "items/TEA" }),
    await call(listItems, { filter: 'title = "Grüner Tee" AND sku = "TEA"', orderBy: "sku desc", pageSize: 5 }),
    await call(adjustStock, { name: "items/TEA", delta: 5n, reason: "found some" }),
    await call(createOrder, { order, requestId: "one" }),
    await call(createOrder, { order: { ...order, note: "another" }, requestId: "one" }),
    await call(createOrder, { order: { currencyCode: "EUR" } }),
    await call(listOrders, { filter: 'labels.channel = "wéb & co"' }),
    await call(getOrder, { name: "orders/none" }),
    await call(listOrders, {}, ""),
  ];
}

function normalized(outcomes: readonly Outcome[]): JsonValue {
  const text = JSON.stringify(outcomes)
    .replace(/[0-9a-hjkmnp-tv-z]{26}/g, "<id>")
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>")
    .replaceAll(',"paymentToken":""', "")
    .replace(/"(field|message)":"(?:[^"\\]|\\.)*"/g, (member) =>
      member.replace(/\border\./g, "").replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase()),
    );
  return JSON.parse(text) as JsonValue;
}

const linesOf = (emulator: Emulator): Record<string, unknown>[] =>
  emulator
    .logged()
    .split("\n")
    .filter((line) => line.includes('"msg":"invocation"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describeMariadbStorage("a function in AWS's emulator", (createStorage) => {
  // Built by `node tools/go-tools.ts aws-lambda-rie`, where there is Go.
  (hasEmulator ? describe : describe.skip)("with the emulator", () => {
    let storage: Storage;
    let emulator: Emulator;
    let front: PlatformFront;
    let platform: Platform = platforms[0] as Platform;
    const wiresOf = (url: string) => httpWires(url, openApiDocument());

    beforeAll(async () => {
      storage = await createStorage();
      emulator = await startEmulator({
        command: functionCommand,
        environment: { ...storage.environment, ...functionEnvironment, DOCKET_CARRIERS: "sandbox" },
      });
      front = await startPlatformFront(() => platform, emulator.invoke);
    }, 60_000);
    afterAll(async () => {
      await front?.[Symbol.asyncDispose]();
      await emulator?.[Symbol.asyncDispose]();
      await storage?.[Symbol.asyncDispose]();
    });

    const send = (path: string, init: RequestInit = {}) =>
      fetch(`${front.url}${path}`, { ...init, headers: { authorization: `Bearer ${adminKey}`, ...init.headers } });

    test("the first answer says how long the start took, and the next ones do not", async () => {
      const timings = [];
      for (let nth = 0; nth < 2; nth++) {
        const response = await send("/v1/orders");
        expect(response.status).toBe(200);
        timings.push(response.headers.get("server-timing"));
      }
      expect(timings).toEqual([
        expect.stringMatching(/^init;dur=[\d.]+, invoker;dur=[\d.]+, handler;dur=[\d.]+$/),
        expect.stringMatching(/^invoker;dur=[\d.]+, handler;dur=[\d.]+$/),
      ]);
      const [first, second] = linesOf(emulator);
      const phases = { invoker_latency_ms: expect.any(Number), handler_duration_ms: expect.any(Number) };
      expect(first).toMatchObject({ start: "cold", init_duration_ms: expect.any(Number), event: "http", ...phases });
      expect(second).toMatchObject({ start: "warm", status: 200, ...phases });
      expect(second).not.toHaveProperty("init_duration_ms");
    }, 60_000);

    test.each(platforms.map((each) => [each.name, each] as const))(
      "REST, Connect and gRPC-Web answer alike behind %s",
      async (name, chosen) => {
        platform = chosen;
        const results: [string, JsonValue][] = [];
        for (const wire of wiresOf(front.url)) {
          const tenant = `${name}-${wire.name}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
          const apiKey = { displayName: tenant, scopes: ["admin"], tenant };
          const created = await wire.call(ApiKeyService.method.createApiKey, { apiKey }, adminKey);
          const { key } = ("ok" in created ? created.ok : {}) as { key: string };
          results.push([
            wire.name,
            normalized(await script((method, request, own = key) => wire.call(method, request, own))),
          ]);
        }
        const [[, first] = ["", null], ...others] = results;
        for (const [wire, result] of others) {
          expect([wire, result]).toEqual([wire, first]);
        }
        expect((first as { ok?: unknown; error?: { code: number } }[]).map(({ error }) => error?.code ?? "ok")).toEqual(
          [...["ok", "ok", "ok", "ok", "ok", "ok", 6, 3, "ok", 5, 16]],
        );
      },
      120_000,
    );

    test("native gRPC is refused with 415", async () => {
      const response = await send("/docket.order.v1.OrderService/ListOrders", {
        method: "POST",
        headers: { "content-type": "application/grpc" },
        body: new Uint8Array(5),
      });
      expect([response.status, await response.json()]).toEqual([
        415,
        { code: 12, message: expect.stringContaining("native gRPC is not served here"), details: [] },
      ]);
    });

    test("a schedule runs what is due, a queue is told which messages failed, and another event is an error", async () => {
      expect(await emulator.invoke({ source: "aws.events", "detail-type": "Scheduled Event" })).toBeNull();
      const record = (messageId: string, body: string) => ({ messageId, eventSource: "aws:sqs", body, attributes: {} });
      const Records = [
        record("a", '{"jobs":["outbox","sagas","retention"]}'),
        record("b", "?"),
        record("c", '{"jobs":["x"]}'),
      ];
      expect(await emulator.invoke({ Records })).toEqual({
        batchItemFailures: [{ itemIdentifier: "b" }, { itemIdentifier: "c" }],
      });
      await expect(emulator.invoke({ hello: "world" })).rejects.toMatchObject({
        errorType: "Function.TypeError",
        errorMessage: "The event is none of HTTP, SQS, Kafka or a schedule",
      });
      expect(linesOf(emulator).slice(-3)).toMatchObject([
        { event: "schedule", start: "warm" },
        { event: "sqs" },
        { level: "error", err: { message: "The event is none of HTTP, SQS, Kafka or a schedule" } },
      ]);
    });

    test("a caller's trace is continued in the log", async () => {
      const response = await send("/v1/orders", {
        headers: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
      });
      expect(response.status).toBe(200);
      expect(emulator.logged()).toContain('"trace_id":"0af7651916cd43dd8448eb211c80319c"');
    });
  });

  (hasEmulator ? test : test.skip)(
    "a function whose settings would lose data does not start, and says why",
    async () => {
      await using emulator = await startEmulator({
        command: functionCommand,
        environment: { DOCKET_LOG_LEVEL: "error" },
      });
      await expect(emulator.invoke({ source: "aws.events" })).rejects.toThrow();
      expect(emulator.logged()).toContain("DOCKET_DATABASE_URL is required in a function");
      expect(emulator.logged()).toContain("DOCKET_ADMIN_KEY is required in a function");
    },
    60_000,
  );
});
