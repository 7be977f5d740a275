import { expect, test } from "@jest/globals";
import { Automation, Order_State } from "../../gen/docket/order/v1/order_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { money } from "../../web-client/sdk/money.ts";
import { cents, stockTea, teaOrder, untilState } from "./support/shop.ts";
import { openShops } from "./support/shops.ts";
import { describeEachStorage } from "./support/start-docket.ts";

const { AWAITING_PAYMENT, CONFIRMED, FULFILLING, COMPLETED, CANCELLED } = Order_State;

describeEachStorage("orders", (createStorage) => {
  const shops = openShops(createStorage);

  const placed = async (shop: Docket, own: Parameters<typeof teaOrder>[0], state: Order_State) => {
    const { name } = await shop.orders.createOrder({ order: teaOrder(own) });
    return untilState(shop, name, [state]);
  };
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  test("that are held are not shipped, and what is on its way arrives all the same", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await placed(shop, { fulfillment: Automation.MANUAL }, CONFIRMED);
    await shop.orders.holdOrder({ name });
    await expect(shop.orders.holdOrder({ name })).rejects.toMatchObject({ reason: "ORDER_STATE" });
    const ship = () => shop.shipments.createShipment({ parent: name, shipment: { carrierService: "standard" } });
    await expect(ship()).rejects.toMatchObject({ reason: "ORDER_NOT_SHIPPABLE" });
    await shop.orders.releaseOrder({ name });
    await expect(shop.orders.releaseOrder({ name })).rejects.toMatchObject({ reason: "ORDER_STATE" });
    await ship();
    await untilState(shop, name, [FULFILLING]);
    await shop.orders.holdOrder({ name }).catch(() => {});
    await sleep(500);
    await shop.orders.releaseOrder({ name }).catch(() => {});
    await untilState(shop, name, [COMPLETED]);
  }, 30_000);

  test("change where the mask says, with the etag they were read with", async () => {
    const { docket: shop } = await shops.open();
    const before = await placed(shop, { fulfillment: Automation.MANUAL }, CONFIRMED);
    const { name, etag } = before;
    const order = { name, etag, note: "ring twice", labels: { vip: "yes" } };
    const updated = await shop.orders.updateOrder({ order, updateMask: { paths: ["note"] }, requestId: "u" });
    expect(updated).toMatchObject({ note: "ring twice", labels: {} });
    expect(await shop.orders.updateOrder({ order, updateMask: { paths: ["note"] }, requestId: "u" })).toEqual(updated);
    await expect(shop.orders.updateOrder({ order, updateMask: { paths: ["labels"] } })).rejects.toMatchObject({
      code: "ABORTED",
      reason: "ETAG_MISMATCH",
    });
    await expect(
      shop.orders.updateOrder({ order: { name, currencyCode: "USD" }, updateMask: { paths: ["currency_code"] } }),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const address = { shippingAddress: { locality: "Hamburg" } };
    const moved = await shop.orders.updateOrder({
      order: { name, ...address },
      updateMask: { paths: ["shipping_address.locality"] },
    });
    expect(moved.shippingAddress).toMatchObject({ recipient: "Ada", locality: "Hamburg" });
    await shop.shipments.createShipment({ parent: name, shipment: { carrierService: "deliver_now" } });
    await untilState(shop, name, [COMPLETED]);
    await expect(
      shop.orders.updateOrder({ order: { name, ...address }, updateMask: { paths: ["shipping_address.region_code"] } }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/FAILED_PRECONDITION|INVALID_ARGUMENT/) });
    const labelled = await shop.orders.updateOrder({
      order: { name, labels: { vip: "yes" } },
      updateMask: { paths: ["labels"] },
    });
    expect(labelled).toMatchObject({ state: COMPLETED, labels: { vip: "yes" } });
  }, 30_000);

  test("lose no update when twenty people change one at once", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await placed(shop, { fulfillment: Automation.MANUAL }, CONFIRMED);
    const change = async (i: number): Promise<void> => {
      for (;;) {
        const { etag, labels } = await shop.orders.getOrder({ name });
        const order = { name, etag, labels: { ...labels, [`l${i}`]: "x" } };
        try {
          return void (await shop.orders.updateOrder({ order, updateMask: { paths: ["labels"] } }));
        } catch (error) {
          expect(error).toMatchObject({ code: "ABORTED" });
        }
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, i) => change(i)));
    expect(Object.keys((await shop.orders.getOrder({ name })).labels)).toHaveLength(20);
  }, 30_000);

  test("are created once by fifty who wait with the same key, and each hears how it ended", async () => {
    const { docket: shop } = await shops.open();
    const place = () => shop.placeOrder(teaOrder(), { requestId: "the same", waitMs: 10_000 });
    const orders = await Promise.all(Array.from({ length: 50 }, place));
    expect(new Set(orders.map(({ name }) => name)).size).toBe(1);
    for (const { state } of orders) {
      expect([AWAITING_PAYMENT, CONFIRMED, FULFILLING, COMPLETED]).toContain(state);
    }
    expect(await Array.fromAsync(shop.listOrders())).toHaveLength(1);
    await expect(shop.placeOrder(teaOrder({ note: "another" }), { requestId: "the same" })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      reason: "IDEMPOTENCY_KEY_REUSED",
    });
    await untilState(shop, orders[0]?.name ?? "", [COMPLETED]);
  }, 60_000);

  test("that are out of stock are reported to each of ten callers waiting with the same key", async () => {
    const { docket: shop } = await shops.open(1);
    const wanted = teaOrder({ lineItems: [{ sku: "TEA", quantity: 2 }] });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => shop.placeOrder(wanted, { requestId: "the same" })),
    );
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { reason: "OUT_OF_STOCK", metadata: { sku: "TEA", wanted: "2", available: "1" } },
      });
    }
    const { orders } = await shop.orders.listOrders({ filter: "state = CANCELLED" });
    expect(orders).toHaveLength(1);
  }, 30_000);

  test("are counted and summed by state and by day", async () => {
    const { docket: shop } = await shops.open();
    await shop.items.createItem({
      item: { sku: "CUP", title: "Cup", prices: [money("JPY", "700")], stockOnHand: 5n },
    });
    await placed(shop, { fulfillment: Automation.MANUAL }, CONFIRMED);
    await placed(shop, { lineItems: [{ sku: "TEA", quantity: 2 }] }, COMPLETED);
    await placed(shop, { paymentToken: "tok_decline" }, CANCELLED);
    await placed(shop, { currencyCode: "JPY", lineItems: [{ sku: "CUP", quantity: 3 }] }, COMPLETED);
    const { states, days, orderCount, revenue } = await shop.orders.getOrderStatistics({});
    const counts = new Map(states.map((it) => [it.state, it]));
    expect(orderCount).toBe(4n);
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([CONFIRMED, COMPLETED, CANCELLED]);
    expect(counts.get(COMPLETED)).toMatchObject({
      orderCount: 2n,
      totals: [
        { currencyCode: "EUR", units: 9n },
        { currencyCode: "JPY", units: 2100n },
      ],
    });
    expect(revenue).toMatchObject([
      { currencyCode: "EUR", units: 13n, nanos: 500_000_000 },
      { currencyCode: "JPY", units: 2100n },
    ]);
    expect(days.reduce((sum, day) => sum + day.orderCount, 0n)).toBe(4n);
    const euros = days.flatMap((day) => day.revenue.filter(({ currencyCode }) => currencyCode === "EUR"));
    expect(euros.reduce((sum, amount) => sum + cents(amount), 0n)).toBe(1350n);
  }, 30_000);

  test("of one tenant are nothing to another, by any method", async () => {
    const { docket: mine } = await shops.open();
    const { docket: theirs } = await shops.open();
    const order = await placed(mine, { fulfillment: Automation.MANUAL, externalId: "A-1" }, CONFIRMED);
    const { name } = order;
    const payment = `${name}/payments/1`;
    const shipment = await mine.shipments.createShipment({ parent: name, shipment: { carrierService: "stay" } });
    const [saga] = (await mine.sagas.listSagas({})).sagas;
    const attempts: readonly (() => Promise<unknown>)[] = [
      () => theirs.orders.getOrder({ name }),
      () => theirs.orders.lookupOrder({ externalId: "A-1" }),
      () => theirs.orders.batchGetOrders({ names: [name] }),
      () => theirs.orders.updateOrder({ order: { name, note: "x" }, updateMask: { paths: ["note"] } }),
      () => theirs.orders.cancelOrder({ name }),
      () => theirs.orders.holdOrder({ name }),
      () => theirs.orders.releaseOrder({ name }),
      () => theirs.orders.listOrderEvents({ parent: name }),
      () => theirs.payments.getPayment({ name: payment }),
      () => theirs.payments.refundPayment({ name: payment }),
      () => theirs.payments.capturePayment({ name: payment }),
      () => theirs.payments.voidPayment({ name: payment }),
      () => theirs.shipments.getShipment({ name: shipment.name }),
      () => theirs.shipments.cancelShipment({ name: shipment.name }),
      () => theirs.shipments.syncShipment({ name: shipment.name }),
      () => theirs.shipments.createShipment({ parent: name, shipment: {} }),
      () => theirs.items.getReservation({ name: name.replace("orders/", "reservations/") }),
      () => theirs.sagas.getSaga({ name: saga?.name ?? "" }),
      () => theirs.sagas.compensateSaga({ name: saga?.name ?? "" }),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toMatchObject({ code: "NOT_FOUND" });
    }
    expect(await Array.fromAsync(theirs.listOrders())).toEqual([]);
    expect(await Array.fromAsync(theirs.listPayments({ parent: "orders/-" }))).toEqual([]);
    expect(await Array.fromAsync(theirs.listShipments({ parent: "orders/-" }))).toEqual([]);
    expect((await theirs.payments.listPaymentCallbacks({})).paymentCallbacks).toEqual([]);
    expect((await theirs.sagas.listSagas({})).sagas).toEqual([]);
    expect((await theirs.items.listReservations({})).reservations).toEqual([]);
    expect((await theirs.orders.getOrderStatistics({})).orderCount).toBe(0n);
    await expect(stockTea(theirs, 1)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect((await mine.orders.getOrder({ name })).state).toBe(FULFILLING);
    // The same number and the same key are free there.
    await placed(theirs, { externalId: "A-1" }, COMPLETED);
  }, 30_000);
});
