import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { anOrder, startOrders } from "./testing/running-orders.ts";

describeEachDatabase("the order service at its documented limits", (open) => {
  test("creates and reads 1,000 orders in one call", async () => {
    const { url } = await open<unknown>();
    await using world = await startOrders(url);
    const requests = Array.from({ length: 1000 }, (_, i) => ({ order: anOrder({ externalId: `L-${i}` }) }));
    const { orders } = await world.orders.batchCreateOrders({ requests });
    expect(orders.map(({ externalId }) => externalId)).toEqual(requests.map(({ order }) => order.externalId));
    const names = orders.map(({ name }) => name);
    const read = await world.orders.batchGetOrders({ names });
    expect(read.orders.map(({ name }) => name)).toEqual(names);
    const page = await world.orders.listOrders({ pageSize: 1000 });
    expect(page.orders).toHaveLength(1000);
  });

  test("takes an order with the most lines, labels and text", async () => {
    const { url } = await open<unknown>();
    await using world = await startOrders(url);
    const skus = Array.from({ length: 500 }, (_, i) => `${"s".repeat(60)}${String(i).padStart(3, "0")}`);
    for (const sku of skus) {
      world.inventory.put(sku, 100);
    }
    const long = "ü";
    const order = anOrder({
      externalId: long.repeat(128),
      lineItems: skus.map((sku) => ({ sku, quantity: 1_000_000 })),
      labels: Object.fromEntries(
        Array.from({ length: 64 }, (_, i) => [`k${i}`.padEnd(63, "x"), long.repeat(255)] as const),
      ),
      note: long.repeat(2000),
      customer: { id: long.repeat(128), displayName: long.repeat(255), phone: "1".repeat(64) },
      shippingAddress: {
        recipient: long.repeat(255),
        addressLines: Array.from({ length: 5 }, () => long.repeat(255)),
        locality: long.repeat(255),
        administrativeArea: long.repeat(255),
        postalCode: "1".repeat(32),
        regionCode: "GB",
      },
    });
    const created = await world.orders.createOrder({ order, requestId: "r".repeat(128) });
    const read = await world.orders.getOrder({ name: created.name });
    expect(read).toMatchObject({ externalId: order.externalId, labels: order.labels, note: order.note });
    expect(read.lineItems.map(({ sku }) => sku)).toEqual(skus);
    expect(read.shippingAddress?.addressLines).toEqual(order.shippingAddress?.addressLines);
    await world.reaches(created.name, "AWAITING_PAYMENT");
  });

  test("ends pages and batches at 5,000 lines", async () => {
    const { url } = await open<unknown>();
    await using world = await startOrders(url);
    const lineItems = Array.from({ length: 500 }, () => ({ sku: "TEA", quantity: 1 }));
    const requests = Array.from({ length: 10 }, () => ({ order: anOrder({ lineItems }) }));
    const [first] = requests;
    await expect(
      world.orders.batchCreateOrders({ requests: [...requests, ...(first ? [first] : [])] }),
    ).rejects.toThrow("the orders have 5500 lines together, at most 5000 are created at once");
    const { orders } = await world.orders.batchCreateOrders({ requests });
    const more = await world.orders.batchCreateOrders({ requests: requests.slice(0, 2) });
    const names = [...orders, ...more.orders].map(({ name }) => name);
    await expect(world.orders.batchGetOrders({ names })).rejects.toThrow("the orders have 6000 lines together");
    expect((await world.orders.batchGetOrders({ names: names.slice(0, 10) })).orders).toHaveLength(10);

    const listed: string[] = [];
    let pageToken = "";
    do {
      const page = await world.orders.listOrders({ pageSize: 1000, orderBy: "create_time", pageToken });
      const lines = page.orders.reduce((sum, order) => sum + order.lineItems.length, 0);
      expect(lines > 0 && lines <= 5000).toBe(true);
      listed.push(...page.orders.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(listed.toSorted()).toEqual(names.toSorted());
  });
});
