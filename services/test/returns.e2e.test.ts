import { expect, test } from "@jest/globals";
import { StockMovementType } from "../../gen/docket/inventory/v1/inventory_pb.js";
import { Shipment_State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { CloseShipmentRequest_Outcome as Outcome } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { Automation, Order_State, PaymentState } from "../../gen/docket/order/v1/order_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { eventually } from "./support/eventually.ts";
import { cents, teaOrder, untilState } from "./support/shop.ts";
import { openShops } from "./support/shops.ts";
import { describeEachStorage } from "./support/start-docket.ts";

const { CONFIRMED, FULFILLING, COMPLETED, CANCELLED } = Order_State;
const { EXCEPTION, RETURNED, LOST, DELIVERED } = Shipment_State;

describeEachStorage("an order whose goods do not arrive", (createStorage) => {
  const shops = openShops(createStorage);

  const confirmed = async (shop: Docket, quantity: number) => {
    const order = teaOrder({ fulfillment: Automation.MANUAL, lineItems: [{ sku: "TEA", quantity }] });
    const { name } = await shop.orders.createOrder({ order });
    await untilState(shop, name, [CONFIRMED]);
    return name;
  };
  /** Ships with a sandbox service and waits for the shipment's state. */
  const ship = async (
    shop: Docket,
    parent: string,
    carrierService: string,
    state: Shipment_State,
    quantity?: number,
  ) => {
    const lines = quantity === undefined ? [] : [{ lineItemId: "1", quantity }];
    const { name } = await shop.shipments.createShipment({ parent, shipment: { carrierService, lines } });
    await eventually(async () => (await shop.shipments.getShipment({ name })).state, state);
    return name;
  };
  const expectStock = (shop: Docket, onHand: number, reserved = 0) =>
    eventually(async () => {
      const { stockOnHand, stockReserved } = await shop.items.getItem({ name: "items/TEA" });
      return `${stockOnHand} on hand, ${stockReserved} reserved`;
    }, `${onHand} on hand, ${reserved} reserved`);
  const restocked = async (shop: Docket) => {
    const { movements } = await shop.items.listStockMovements({ parent: "items/TEA" });
    return movements.filter(({ type }) => type === StockMovementType.RESTOCK).map(({ onHandDelta }) => onHandDelta);
  };
  const refunded = async (shop: Docket, name: string) =>
    cents((await shop.payments.getPayment({ name: `${name}/payments/1` })).refundedAmount);

  test("can be shipped again once its parcel is closed as lost, from other stock", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop, 2);
    const lost = await ship(shop, name, "lost", EXCEPTION);
    await expectStock(shop, 8);
    await expect(shop.orders.cancelOrder({ name })).rejects.toMatchObject({ reason: "SHIPMENT_UNDER_WAY" });

    const close = () => shop.shipments.closeShipment({ name: lost, outcome: Outcome.LOST, requestId: "c" });
    const closed = await close();
    expect(closed).toMatchObject({ state: LOST, lines: [{ quantity: 2, quantityRestocked: 0 }] });
    expect(await close()).toEqual(closed);
    await ship(shop, name, "deliver_now", DELIVERED);
    const order = await untilState(shop, name, [COMPLETED]);
    expect(order).toMatchObject({ paymentState: PaymentState.PAID, lineItems: [{ quantityDelivered: 2 }] });
    await expectStock(shop, 6);
    expect(await restocked(shop)).toEqual([]);
    const eventTypes = (await Array.fromAsync(shop.listOrderEvents({ parent: name }))).map(({ type }) => type);
    expect(eventTypes.filter((type) => type === "ShipmentClosed")).toHaveLength(1);
  }, 60_000);

  test("is not shipped again from stock that is not there, and can be cancelled then", async () => {
    const { docket: shop } = await shops.open(2);
    const name = await confirmed(shop, 2);
    const lost = await ship(shop, name, "lost", EXCEPTION);
    await shop.shipments.closeShipment({ name: lost, outcome: Outcome.LOST });
    await expect(shop.shipments.createShipment({ parent: name, shipment: {} })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "OUT_OF_STOCK",
      metadata: { sku: "TEA", wanted: "2", available: "0" },
    });
    await shop.orders.cancelOrder({ name });
    await untilState(shop, name, [CANCELLED]);
    await eventually(() => refunded(shop, name), 900n);
    await expectStock(shop, 0);
  }, 60_000);

  test("can be cancelled although all of its money went back by hand", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop, 1);
    const lost = await ship(shop, name, "lost", EXCEPTION);
    await shop.payments.refundPayment({ name: `${name}/payments/1` });
    await shop.shipments.closeShipment({ name: lost, outcome: Outcome.LOST });
    await shop.orders.cancelOrder({ name });
    await untilState(shop, name, [CANCELLED]);
    expect(await refunded(shop, name)).toBe(450n);
  }, 60_000);

  test("puts what came back into stock when it is cancelled", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop, 5);
    const returned = await ship(shop, name, "return", RETURNED);
    await expectStock(shop, 5);
    await shop.orders.cancelOrder({ name });
    await untilState(shop, name, [CANCELLED]);
    await expectStock(shop, 10);
    expect(await restocked(shop)).toEqual([5n]);
    expect(await shop.shipments.getShipment({ name: returned })).toMatchObject({
      state: RETURNED,
      lines: [{ quantityRestocked: 5 }],
    });
    await eventually(() => refunded(shop, name), 2250n);
  }, 60_000);

  test("restocks what can be sold again, and the rest is written off, cancelled and refunded", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop, 3);
    const returned = await ship(shop, name, "return", RETURNED);
    const writtenOff = [{ lineItemId: "1", quantity: 1 }];
    await shop.shipments.closeShipment({ name: returned, outcome: Outcome.RETURNED, writtenOff });
    await expectStock(shop, 9);
    expect(await restocked(shop)).toEqual([2n]);
    await shop.orders.cancelOrderLines({ name, lines: [{ lineItemId: "1", quantity: 1 }] });
    await eventually(() => refunded(shop, name), 450n);
    await ship(shop, name, "deliver_now", DELIVERED);
    const order = await untilState(shop, name, [COMPLETED]);
    expect(order.lineItems).toMatchObject([{ quantity: 3, quantityCancelled: 1, quantityDelivered: 2 }]);
    await expectStock(shop, 7);
  }, 60_000);

  test("is completed with the part that arrived when the rest is cancelled", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop, 10);
    await ship(shop, name, "deliver_now", DELIVERED, 3);
    await untilState(shop, name, [FULFILLING]);
    await expectStock(shop, 7, 7);
    const lines = [{ lineItemId: "1", quantity: 7 }];
    const cancel = () => shop.orders.cancelOrderLines({ name, lines, note: "sold out", requestId: "once" });
    const cancelled = await cancel();
    expect(cancelled.lineItems).toMatchObject([{ quantity: 10, quantityCancelled: 7 }]);
    expect(cents(cancelled.cancelledTotal)).toBe(3150n);
    expect(await cancel()).toEqual(cancelled);
    const order = await untilState(shop, name, [COMPLETED]);
    await eventually(async () => (await shop.orders.getOrder({ name })).paymentState, PaymentState.PAID);
    expect(cents(order.total)).toBe(4500n);
    expect(await refunded(shop, name)).toBe(3150n);
    await expectStock(shop, 7);
    const events = await Array.fromAsync(shop.listOrderEvents({ parent: name }));
    expect(events.find(({ type }) => type === "OrderLinesCancelled")).toMatchObject({
      message: "sold out",
      metadata: { lines: "1:7", amount: "31.50 EUR" },
    });
    await expect(shop.orders.cancelOrderLines({ name, lines })).rejects.toMatchObject({ reason: "ORDER_STATE" });
  }, 60_000);

  test("refuses to cancel what is shipped, what is not there, and everything", async () => {
    const { docket: shop } = await shops.open();
    const name = await confirmed(shop, 3);
    const cancel = (lineItemId: string, quantity: number) =>
      shop.orders.cancelOrderLines({ name, lines: [{ lineItemId, quantity }] });
    await expect(cancel("9", 1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(cancel("1", 3)).rejects.toMatchObject({ reason: "NOTHING_LEFT" });
    const delivered = await ship(shop, name, "deliver_now", DELIVERED, 2);
    await expect(cancel("1", 2)).rejects.toMatchObject({ reason: "QUANTITY_EXCEEDED" });
    const close = shop.shipments.closeShipment({ name: delivered, outcome: Outcome.LOST });
    await expect(close).rejects.toMatchObject({ reason: "SHIPMENT_NOT_CLOSABLE" });
    await ship(shop, name, "deliver_now", DELIVERED, 1);
    await untilState(shop, name, [COMPLETED]);
  }, 60_000);
});
