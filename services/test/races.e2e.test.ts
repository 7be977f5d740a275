import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { DocketError } from "../../web-client/sdk/errors.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { describeEachStorage, type Storage, startDocket, type TestDocket } from "./support/start-docket.ts";

describeEachStorage("buyers at once", (createStorage) => {
  let storage: Storage;
  let docket: TestDocket;
  beforeAll(async () => {
    storage = await createStorage();
    docket = await startDocket({}, storage);
  }, 60_000);
  afterAll(async () => {
    await docket?.[Symbol.asyncDispose]();
    await storage?.[Symbol.asyncDispose]();
  });

  test("of 12 for 5 items, 5 get one and 7 receive the SKU in an error", async () => {
    const { docket: shop } = await docket.tenant("race");
    await stockTea(shop, 5);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, i) => shop.placeOrder(teaOrder({ externalId: `buyer-${i}` }))),
    );
    const placed = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    const refused = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    expect(placed).toHaveLength(5);
    expect(refused).toHaveLength(7);
    for (const error of refused) {
      expect(error).toBeInstanceOf(DocketError);
      expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "OUT_OF_STOCK" });
      expect(error.metadata).toMatchObject({ sku: "TEA", wanted: "1" });
      const lost = await untilState(shop, error.metadata.order, [Order_State.CANCELLED]);
      expect(lost.cancelReason).toBeGreaterThan(0);
    }
    for (const { name } of placed) {
      await untilState(shop, name, [Order_State.COMPLETED]);
    }
    const item = await shop.items.getItem({ name: "items/TEA" });
    expect(item).toMatchObject({ stockOnHand: 0n, stockReserved: 0n });
  }, 60_000);

  test("one key from 50 connections makes one order and 50 equal answers", async () => {
    const { docket: shop, key } = await docket.tenant("key-race");
    await stockTea(shop, 100);
    const body = JSON.stringify({
      currencyCode: "EUR",
      customer: { id: "c1" },
      shippingAddress: { recipient: "Ada", addressLines: ["1 Main St"], locality: "Berlin", regionCode: "DE" },
      lineItems: [{ sku: "TEA", quantity: 1 }],
      paymentToken: "tok_success",
    });
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const response = await fetch(`${docket.running.httpUrl}/v1/orders`, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            authorization: `Bearer ${key}`,
            "idempotency-key": "one",
            connection: "close",
          },
          body,
        });
        return `${response.status} ${await response.text()}`;
      }),
    );
    expect([...new Set(answers)]).toHaveLength(1);
    expect(answers[0]).toMatch(/^201 /);
    expect(await Array.fromAsync(shop.listOrders())).toHaveLength(1);
  }, 60_000);
});
