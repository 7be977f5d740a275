import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { servedMethods } from "./support/served-methods.ts";
import { stockTea } from "./support/shop.ts";
import { startDocket, type TestDocket } from "./support/start-docket.ts";

/** What a request needs besides its page, so that rows are looked for. */
const parents: Readonly<Record<string, string>> = {
  ListDeliveries: "webhookEndpoints/01arz3ndektsv4rrffq69g5fav",
  ListOrderEvents: "orders/01arz3ndektsv4rrffq69g5fav",
  ListPayments: "orders/-",
  ListShipments: "orders/-",
  ListStockMovements: "items/TEA",
};

describe("reads that a caller can make long", () => {
  let docket: TestDocket;
  let key: string;
  const statements: string[] = [];

  beforeAll(async () => {
    docket = await startDocket({}, undefined, { onStatement: ({ sql }) => statements.push(sql) });
    const shop = await docket.tenant("reads");
    key = shop.key;
    await stockTea(shop.docket, 1);
  });
  afterAll(async () => {
    await docket?.[Symbol.asyncDispose]();
  });

  /** Those that a caller or a time limit can end, on a thread of their own. */
  const endable = () => statements.filter((sql) => sql.includes("docket_continue()"));

  test("can be ended, in every method that lists or counts", async () => {
    const served = await servedMethods(docket.running.grpcAddress);
    const methods = served.filter(
      ({ input, name }) =>
        input.field["pageToken"] !== undefined || name === OrderService.method.getOrderStatistics.name,
    );
    const unlimited: string[] = [];
    for (const method of methods) {
      statements.length = 0;
      const parent = parents[method.name];
      const response = await fetch(`${docket.running.httpUrl}/${method.parent.typeName}/${method.name}`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify(parent === undefined ? {} : { parent }),
      });
      const { code } = (await response.json()) as { code?: string };
      if (endable().length === 0 && code !== "unimplemented") {
        unlimited.push(`${method.name} ${code ?? ""}`);
      }
    }
    expect(methods.length).toBeGreaterThan(10);
    expect(unlimited).toEqual([]);
  });

  test("end with DEADLINE_EXCEEDED after DOCKET_QUERY_TIMEOUT", async () => {
    await using limited = await startDocket({ DOCKET_QUERY_TIMEOUT: "1ms" });
    const shop = await limited.tenant("limited");
    await stockTea(shop.docket, 1);
    // The first statement waits for its thread to start, which takes longer than that.
    const response = await fetch(`${limited.running.httpUrl}/v1/items`, {
      headers: { authorization: `Bearer ${shop.key}` },
    });
    expect(response.status).toBe(504);
    expect(await response.text()).toContain("QUERY_TOO_EXPENSIVE");
  });

  test("can be ended in exports", async () => {
    statements.length = 0;
    const response = await fetch(`${docket.running.httpUrl}/v1/orders:export`, {
      headers: { authorization: `Bearer ${key}` },
    });
    await response.text();
    expect(response.status).toBe(200);
    expect(endable()).toHaveLength(1);
  });
});
