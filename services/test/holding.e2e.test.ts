import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { type Order, Order_State } from "../../gen/docket/order/v1/order_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { teaOrder, untilState } from "./support/shop.ts";
import { openShops } from "./support/shops.ts";
import { describeEachStorage } from "./support/start-docket.ts";

const { AWAITING_PAYMENT, COMPLETED, EXPIRED, ON_HOLD } = Order_State;

describeEachStorage("unpaid orders", (createStorage) => {
  const shops = openShops(createStorage, { DOCKET_PAYMENT_DEADLINE: "3s" });

  const placed = async (shop: Docket, own: Parameters<typeof teaOrder>[0], state: Order_State) => {
    const { name } = await shop.orders.createOrder({ order: teaOrder(own) });
    return untilState(shop, name, [state]);
  };
  const pay = (order: Order) =>
    fetch(`${order.paymentAction?.redirectUrl}:complete`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  test("that are held longer than their payment deadline can be paid once they are released", async () => {
    const { docket: shop } = await shops.open();
    const order = await placed(shop, { paymentToken: "tok_action" }, AWAITING_PAYMENT);
    await shop.orders.holdOrder({ name: order.name });
    await sleep(3_500);
    expect(await shop.orders.getOrder({ name: order.name })).toMatchObject({
      state: ON_HOLD,
      heldState: AWAITING_PAYMENT,
    });
    const released = await shop.orders.releaseOrder({ name: order.name });
    expect(released.state).toBe(AWAITING_PAYMENT);
    const deadline = (it: Order) => (it.paymentDeadline ? timestampMs(it.paymentDeadline) : 0);
    expect(deadline(released) - deadline(order)).toBeGreaterThan(3_000);
    expect((await pay(order)).status).toBe(200);
    await untilState(shop, order.name, [COMPLETED]);
  }, 30_000);

  test("that are held and released and then not paid expire", async () => {
    const { docket: shop } = await shops.open();
    const order = await placed(shop, { paymentToken: "tok_timeout" }, AWAITING_PAYMENT);
    await shop.orders.holdOrder({ name: order.name });
    await sleep(1_000);
    await shop.orders.releaseOrder({ name: order.name });
    const expired = await untilState(shop, order.name, [EXPIRED]);
    const at = (time: Order["updateTime"]) => (time ? timestampMs(time) : 0);
    expect(at(expired.updateTime) - at(order.createTime)).toBeGreaterThan(3_900);
  }, 30_000);

  test("that are paid while they are held go on when they are released, and not before", async () => {
    const { docket: shop } = await shops.open();
    const order = await placed(shop, { paymentToken: "tok_action" }, AWAITING_PAYMENT);
    await shop.orders.holdOrder({ name: order.name });
    await pay(order);
    await sleep(500);
    expect((await shop.orders.getOrder({ name: order.name })).state).toBe(ON_HOLD);
    await shop.orders.releaseOrder({ name: order.name });
    await untilState(shop, order.name, [COMPLETED]);
  }, 30_000);
});
