import { expect, test } from "@jest/globals";
import { Shipment_State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { Automation, CancelReason, Order_State, PaymentState } from "../../gen/docket/order/v1/order_pb.js";
import { Payment_State } from "../../gen/docket/payment/v1/payment_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { eventually } from "./support/eventually.ts";
import { teaOrder, untilState } from "./support/shop.ts";
import { openShops } from "./support/shops.ts";
import { describeEachStorage } from "./support/start-docket.ts";

const { AWAITING_PAYMENT, CONFIRMED, FULFILLING, COMPLETED, CANCELLED, ON_HOLD } = Order_State;

describeEachStorage("cancelling an order", (createStorage) => {
  const shops = openShops(createStorage, { DOCKET_SANDBOX_CARRIER_STEP: "150ms" });

  const place = (shop: Docket, own: Parameters<typeof teaOrder>[0] = {}) =>
    shop.orders.createOrder({ order: teaOrder(own) });
  const paymentOf = (shop: Docket, name: string) => shop.payments.getPayment({ name: `${name}/payments/1` });
  const expectStock = async (shop: Docket, onHand: bigint) =>
    expect(await shop.items.getItem({ name: "items/TEA" })).toMatchObject({
      stockOnHand: onHand,
      stockAvailable: onHand,
    });

  test("while it is placed leaves nothing behind, whatever the saga had begun", async () => {
    const { docket: shop } = await shops.open(40);
    const names = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const { name } = await place(shop, { fulfillment: Automation.MANUAL });
        // A different stage of the saga for each.
        await new Promise((resolve) => setTimeout(resolve, i * 8));
        const { state } = await shop.orders.cancelOrder({ name });
        expect([Order_State.CANCELLING, CANCELLED]).toContain(state);
        return name;
      }),
    );
    for (const name of names) {
      const order = await untilState(shop, name, [CANCELLED]);
      expect(order.cancelReason).toBe(CancelReason.REQUESTED);
    }
    await expectStock(shop, 40n);
  }, 60_000);

  test("while it awaits payment voids the payment", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop, { paymentToken: "tok_timeout" });
    await untilState(shop, name, [AWAITING_PAYMENT]);
    await shop.orders.cancelOrder({ name, note: "changed my mind" });
    await untilState(shop, name, [CANCELLED]);
    expect((await paymentOf(shop, name)).state).toBe(Payment_State.VOIDED);
    const events = await Array.fromAsync(shop.listOrderEvents({ parent: name }));
    expect(events.find(({ type }) => type === "OrderCancelling")).toMatchObject({ message: "changed my mind" });
    await expectStock(shop, 10n);
  }, 30_000);

  test("once it is confirmed refunds what was captured", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop, { fulfillment: Automation.MANUAL });
    await untilState(shop, name, [CONFIRMED]);
    await shop.orders.cancelOrder({ name });
    await untilState(shop, name, [CANCELLED]);
    await untilPaymentState(shop, name, PaymentState.REFUNDED);
    await expectStock(shop, 10n);
  }, 30_000);

  test("once it is confirmed voids what was only authorized", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop, { fulfillment: Automation.MANUAL, capture: Automation.MANUAL });
    expect((await untilState(shop, name, [CONFIRMED])).paymentState).toBe(PaymentState.AUTHORIZED);
    await shop.orders.cancelOrder({ name });
    await untilState(shop, name, [CANCELLED]);
    await untilPaymentState(shop, name, PaymentState.UNPAID);
    expect((await paymentOf(shop, name)).state).toBe(Payment_State.VOIDED);
  }, 30_000);

  test("before its shipment is collected cancels the shipment too", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop, { fulfillment: Automation.MANUAL });
    await untilState(shop, name, [CONFIRMED]);
    const shipment = await shop.shipments.createShipment({ parent: name, shipment: { carrierService: "stay" } });
    await untilState(shop, name, [FULFILLING]);
    await shop.orders.cancelOrder({ name });
    await untilState(shop, name, [CANCELLED]);
    expect((await shop.shipments.getShipment({ name: shipment.name })).state).toBe(Shipment_State.CANCELLED);
    await untilPaymentState(shop, name, PaymentState.REFUNDED);
    await expectStock(shop, 10n);
  }, 30_000);

  test("is refused once its shipment is collected, and changes nothing", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop, { fulfillment: Automation.MANUAL });
    await untilState(shop, name, [CONFIRMED]);
    const shipment = await shop.shipments.createShipment({ parent: name, shipment: { carrierService: "stay" } });
    await untilState(shop, name, [FULFILLING]);
    await shop.shipments.syncShipment({ name: shipment.name });
    await shop.shipments.syncShipment({ name: shipment.name });
    const before = await shop.orders.getOrder({ name });
    await expect(shop.orders.cancelOrder({ name })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "SHIPMENT_UNDER_WAY",
    });
    expect((await shop.orders.getOrder({ name })).state).toBe(before.state);
    await shop.shipments.syncShipment({ name: shipment.name });
    await shop.shipments.syncShipment({ name: shipment.name });
    await untilState(shop, name, [COMPLETED]);
  }, 30_000);

  test("is refused for a part of an order that is under way, and the rest can still be shipped", async () => {
    const { docket: shop } = await shops.open();
    const order = teaOrder({ fulfillment: Automation.MANUAL, lineItems: [{ sku: "TEA", quantity: 3 }] });
    const { name } = await shop.orders.createOrder({ order });
    await untilState(shop, name, [CONFIRMED]);
    const ship = (service: string, quantity: number) =>
      shop.shipments.createShipment({
        parent: name,
        shipment: { carrierService: service, lines: [{ lineItemId: "1", quantity }] },
      });
    const first = await ship("deliver_now", 1);
    await ship("stay", 1);
    await untilShipment(shop, first.name, Shipment_State.DELIVERED);
    await expect(shop.orders.cancelOrder({ name })).rejects.toMatchObject({ reason: "SHIPMENT_UNDER_WAY" });
    const { shipments } = await shop.shipments.listShipments({ parent: name });
    expect(shipments.map(({ state }) => state)).not.toContain(Shipment_State.CANCELLED);
    await ship("deliver_now", 1);
    const { lineItems } = await untilState(shop, name, [FULFILLING]);
    expect(lineItems[0]?.quantity).toBe(3);
  }, 30_000);

  test("twice answers the same under one key and is refused under another", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop, { paymentToken: "tok_timeout" });
    await untilState(shop, name, [AWAITING_PAYMENT]);
    const first = await shop.orders.cancelOrder({ name, requestId: "once" });
    await untilState(shop, name, [CANCELLED]);
    expect(await shop.orders.cancelOrder({ name, requestId: "once" })).toEqual(first);
    await expect(shop.orders.cancelOrder({ name })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "ORDER_STATE",
    });
  }, 30_000);

  test("from ten places at once happens once", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop, { fulfillment: Automation.MANUAL });
    await untilState(shop, name, [CONFIRMED]);
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => shop.orders.cancelOrder({ name })));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes) {
      expect(outcome.status === "fulfilled" ? "ORDER_STATE" : outcome.reason.reason).toBe("ORDER_STATE");
    }
    await untilState(shop, name, [CANCELLED]);
    await untilPaymentState(shop, name, PaymentState.REFUNDED);
    expect((await paymentOf(shop, name)).refunds).toHaveLength(1);
  }, 30_000);

  test("is refused when it is completed", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop);
    await untilState(shop, name, [COMPLETED]);
    await expect(shop.orders.cancelOrder({ name })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "ORDER_STATE",
      metadata: { state: "COMPLETED" },
    });
  }, 30_000);

  test("of a held order gives everything back", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop, { fulfillment: Automation.MANUAL });
    await untilState(shop, name, [CONFIRMED]);
    await shop.orders.holdOrder({ name });
    await shop.orders.cancelOrder({ name });
    await untilState(shop, name, [CANCELLED]);
    await untilPaymentState(shop, name, PaymentState.REFUNDED);
  }, 30_000);

  test("at the same moment as it is shipped ends in one of both, never in between", async () => {
    const { docket: shop } = await shops.open(40);
    const names = await Promise.all(
      Array.from({ length: 16 }, async () => (await place(shop, { fulfillment: Automation.MANUAL })).name),
    );
    for (const name of names) {
      await untilState(shop, name, [CONFIRMED]);
    }
    const cancelled = await Promise.all(
      names.map(async (name, i) => {
        const ship = () => shop.shipments.createShipment({ parent: name, shipment: { carrierService: "deliver_now" } });
        const cancel = () => shop.orders.cancelOrder({ name });
        const [cancelling] = await Promise.allSettled(
          i % 2 === 0 ? [cancel(), ship()] : [new Promise((done) => setTimeout(done, i)).then(cancel), ship()],
        );
        return cancelling?.status === "fulfilled";
      }),
    );
    for (const [i, name] of names.entries()) {
      await untilState(shop, name, [cancelled[i] ? CANCELLED : COMPLETED]);
    }
  }, 60_000);

  test("at the same moment as it is paid ends with the money back or never taken", async () => {
    const { docket: shop } = await shops.open(40);
    await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        const { name } = await place(shop, { paymentToken: "tok_action", fulfillment: Automation.MANUAL });
        const { paymentAction } = await untilState(shop, name, [AWAITING_PAYMENT]);
        const pay = () =>
          fetch(`${paymentAction?.redirectUrl}:complete`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: "{}",
          });
        const cancel = async () => {
          await new Promise((resolve) => setTimeout(resolve, i * 3));
          await shop.orders.cancelOrder({ name });
        };
        await Promise.all([pay(), cancel()]);
        await untilState(shop, name, [CANCELLED]);
      }),
    );
    await expectStock(shop, 40n);
  }, 60_000);

  test("at the same moment as it is held or released ends cancelled", async () => {
    const { docket: shop } = await shops.open(40);
    await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const { name } = await place(shop, { fulfillment: Automation.MANUAL });
        await untilState(shop, name, [CONFIRMED]);
        await Promise.allSettled([
          shop.orders.holdOrder({ name }),
          shop.orders.releaseOrder({ name }),
          new Promise((resolve) => setTimeout(resolve, i)).then(() => shop.orders.holdOrder({ name })),
        ]);
        expect([CONFIRMED, ON_HOLD]).toContain((await shop.orders.getOrder({ name })).state);
        await shop.orders.cancelOrder({ name });
        await untilState(shop, name, [CANCELLED]);
      }),
    );
    await expectStock(shop, 40n);
  }, 60_000);
});

async function untilPaymentState(shop: Docket, name: string, state: PaymentState): Promise<void> {
  await eventually(async () => (await shop.orders.getOrder({ name })).paymentState, state);
}

async function untilShipment(shop: Docket, name: string, state: Shipment_State): Promise<void> {
  await eventually(async () => (await shop.shipments.getShipment({ name })).state, state);
}
