import { expect, test } from "@jest/globals";
import { Shipment_State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { Automation, Order_State } from "../../gen/docket/order/v1/order_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { eventually } from "./support/eventually.ts";
import { teaOrder, untilState } from "./support/shop.ts";
import { openShops } from "./support/shops.ts";
import { describeEachStorage } from "./support/start-docket.ts";

const { CONFIRMED, FULFILLING, COMPLETED, CANCELLED } = Order_State;
const { DELIVERED, EXCEPTION, RETURNED, INFO_RECEIVED, IN_TRANSIT, OUT_FOR_DELIVERY } = Shipment_State;

describeEachStorage("fulfilling an order", (createStorage) => {
  const shops = openShops(createStorage);

  /** A confirmed order of this many units, for manual shipping. */
  const confirmed = async (shop: Docket, quantity = 1) => {
    const lineItems = [{ sku: "TEA", quantity }];
    const { name } = await shop.orders.createOrder({
      order: teaOrder({ fulfillment: Automation.MANUAL, lineItems }),
    });
    await untilState(shop, name, [CONFIRMED]);
    return name;
  };
  const ship = (shop: Docket, parent: string, carrierService: string, quantity?: number) =>
    shop.shipments.createShipment({
      parent,
      shipment: { carrierService, ...(quantity && { lines: [{ lineItemId: "1", quantity }] }) },
    });
  const untilShipment = (shop: Docket, name: string, state: Shipment_State) =>
    eventually(async () => (await shop.shipments.getShipment({ name })).state, state);
  const countEvents = async (shop: Docket, name: string, type: string) =>
    (await Array.fromAsync(shop.listOrderEvents({ parent: name }))).filter((event) => event.type === type).length;

  test.each(["", "standard", "deliver_now", "duplicate", "reordered", "attempt_failed"])(
    "a parcel sent with service '%s' arrives, is taken from stock once and completes the order",
    async (service) => {
      const { docket: shop } = await shops.open();
      const name = await confirmed(shop);
      const shipment = await ship(shop, name, service);
      const { lineItems } = await untilState(shop, name, [COMPLETED]);
      expect(lineItems).toMatchObject([{ quantityShipped: 1, quantityDelivered: 1 }]);
      await untilShipment(shop, shipment.name, DELIVERED);
      for (const once of ["ShipmentCreated", "ShipmentCollected", "ShipmentDelivered", "OrderCompleted"]) {
        expect(await countEvents(shop, name, once)).toBe(1);
      }
      const { movements } = await shop.items.listStockMovements({ parent: "items/TEA" });
      expect(movements.filter(({ onHandDelta }) => onHandDelta < 0n)).toHaveLength(1);
    },
    30_000,
  );

  test("a parcel that stays moves a stage on each poll", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop);
    const shipment = await ship(shop, name, "stay");
    await untilState(shop, name, [FULFILLING]);
    for (const state of [INFO_RECEIVED, IN_TRANSIT, OUT_FOR_DELIVERY, DELIVERED, DELIVERED]) {
      expect((await shop.shipments.syncShipment({ name: shipment.name })).state).toBe(state);
    }
    await untilState(shop, name, [COMPLETED]);
  }, 30_000);

  test.each([
    ["lost", EXCEPTION],
    ["return", RETURNED],
  ])(
    "a parcel that is %s leaves the order open, and its timeline says why",
    async (service, state) => {
      const { docket: shop } = await shops.open();
      const name = await confirmed(shop);
      const shipment = await ship(shop, name, service);
      await untilShipment(shop, shipment.name, state);
      await eventually(() => countEvents(shop, name, "ShipmentStateChanged").then((count) => count > 0), true);
      const order = await shop.orders.getOrder({ name });
      expect(order).toMatchObject({ state: FULFILLING, lineItems: [{ quantityShipped: 1, quantityDelivered: 0 }] });
      expect(await shop.items.getItem({ name: "items/TEA" })).toMatchObject({ stockOnHand: 9n, stockReserved: 0n });
    },
    30_000,
  );

  test("a parcel that the carrier refuses can be sent with another service", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop);
    const refused = await ship(shop, name, "refuse");
    await untilShipment(shop, refused.name, Shipment_State.CANCELLED);
    const { trackingEvents } = await shop.shipments.getShipment({ name: refused.name });
    expect(trackingEvents.at(-1)?.message).toContain("deliver_now");
    await ship(shop, name, "deliver_now");
    await untilState(shop, name, [COMPLETED]);
  }, 30_000);

  test("in parts, one after the other, and not one unit more than was ordered", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop, 5);
    await ship(shop, name, "deliver_now", 2);
    await untilState(shop, name, [FULFILLING]);
    await expect(ship(shop, name, "deliver_now", 4)).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "QUANTITY_EXCEEDED",
      metadata: { line_item_id: "1", sku: "TEA", wanted: "4", left: "3" },
    });
    await ship(shop, name, "deliver_now", 1);
    await eventually(async () => (await shop.orders.getOrder({ name })).lineItems[0]?.quantityDelivered, 3);
    expect((await shop.orders.getOrder({ name })).state).toBe(FULFILLING);
    expect(await shop.items.getItem({ name: "items/TEA" })).toMatchObject({ stockOnHand: 7n, stockReserved: 2n });
    const rest = await ship(shop, name, "deliver_now");
    expect(rest.lines).toMatchObject([{ lineItemId: "1", sku: "TEA", quantity: 2 }]);
    await untilState(shop, name, [COMPLETED]);
    await expect(ship(shop, name, "deliver_now", 1)).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  }, 30_000);

  test("ten shipments of the same two units at once are two at the most", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop, 2);
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => ship(shop, name, "deliver_now", 1)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    for (const outcome of outcomes) {
      expect(outcome.status === "fulfilled" ? "QUANTITY_EXCEEDED" : outcome.reason.reason).toBe("QUANTITY_EXCEEDED");
    }
    await untilState(shop, name, [COMPLETED]);
  }, 30_000);

  test("a shipment that is cancelled gives its units back to be shipped", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop, 2);
    const shipment = await ship(shop, name, "stay", 2);
    await untilState(shop, name, [FULFILLING]);
    await shop.shipments.cancelShipment({ name: shipment.name });
    await untilState(shop, name, [CONFIRMED]);
    await ship(shop, name, "deliver_now", 2);
    await untilState(shop, name, [COMPLETED]);
  }, 30_000);

  test("the address of an order is the one on its label from the moment in which the shipment is created", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop);
    const move = (locality: string) =>
      shop.orders.updateOrder({
        order: { name, shippingAddress: { locality } },
        updateMask: { paths: ["shipping_address.locality"] },
      });
    expect((await move("Hamburg")).shippingAddress?.locality).toBe("Hamburg");
    const shipment = await ship(shop, name, "stay");
    await expect(move("Paris")).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "SHIPMENT_EXISTS" });
    await shop.shipments.cancelShipment({ name: shipment.name });
    expect((await move("Paris")).shippingAddress?.locality).toBe("Paris");
  }, 60_000);

  test("an order that is not confirmed is not shipped", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await shop.orders.createOrder({ order: teaOrder({ paymentToken: "tok_timeout" }) });
    await untilState(shop, name, [Order_State.AWAITING_PAYMENT]);
    await expect(ship(shop, name, "deliver_now")).rejects.toMatchObject({ reason: "ORDER_NOT_SHIPPABLE" });
    await shop.orders.cancelOrder({ name });
    await untilState(shop, name, [CANCELLED]);
    await expect(ship(shop, name, "deliver_now")).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  }, 30_000);

  test("an order for a carrier or a payment provider that does not exist is refused before any money is taken", async () => {
    const { docket: shop } = await shops.open();
    for (const unknown of [{ carrier: "dhl" }, { paymentProvider: "stripe" }]) {
      await expect(shop.orders.createOrder({ order: teaOrder(unknown) })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
    expect((await shop.orders.listOrders({})).orders).toEqual([]);
  }, 30_000);
});
