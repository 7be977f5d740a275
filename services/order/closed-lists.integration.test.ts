import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { anOrder, startOrders } from "./testing/running-orders.ts";

const unknown: [string, { carrier: string } | { paymentProvider: string }, string][] = [
  ["carrier", { carrier: "dhl" }, 'Unknown carrier "dhl". Known carriers: sandbox.'],
  [
    "payment_provider",
    { paymentProvider: "stripe" },
    'Unknown payment provider "stripe". Known payment providers: sandbox.',
  ],
];

describeEachDatabase("an order with an unknown provider, carrier or region", (open) => {
  test.each(unknown)("is rejected by every RPC for its %s, and nothing is stored", async (field, named, message) => {
    await using world = await startOrders((await open<unknown>()).url);
    const { orders } = world;
    const order = anOrder(named);
    const invalid = (at: string) => ({ code: "InvalidArgument", violations: [`${at}.${field}: ${message}`] });

    expect(await refusal(orders.createOrder({ order }))).toMatchObject(invalid("order"));
    expect(await refusal(orders.createOrder({ order, validateOnly: true }))).toMatchObject(invalid("order"));
    const requests = [{ order: anOrder() }, { order }];
    expect(await refusal(orders.batchCreateOrders({ requests }))).toMatchObject(invalid("requests[1].order"));

    const columns = "currency_code,customer_id,recipient,address_lines,locality,region_code,sku,quantity";
    const file = `${columns},${field}\nEUR,c1,Ada,1 Mill Lane,London,GB,TEA,1,${Object.values(named)[0]}\n`;
    for (const validateOnly of [true, false]) {
      async function* pieces() {
        yield { file: { contentType: "text/csv", data: Buffer.from(file) }, validateOnly };
      }
      const { createdCount, failures } = await orders.importOrders(pieces());
      expect(createdCount).toBe(0n);
      expect(failures).toMatchObject([{ lineNumber: 2n, field, message }]);
    }

    expect((await orders.listOrders({})).orders).toEqual([]);
    expect(world.inventory.calls).toEqual([]);
    expect(world.payment.calls).toEqual([]);
  });

  test.each(unknown)("cannot be created by updating the %s of another order", async (field, named) => {
    await using world = await startOrders((await open<unknown>()).url);
    const { name } = await world.place();
    const update = world.orders.updateOrder({ order: { name, ...named }, updateMask: { paths: [field] } });
    expect(await refusal(update)).toMatchObject({ code: "InvalidArgument" });
    expect(await world.orders.getOrder({ name })).toMatchObject({ carrier: "", paymentProvider: "" });
  });

  test.each(["ZZ", "XX", "UK"])("is rejected for the region %s, on creation and on update", async (regionCode) => {
    await using world = await startOrders((await open<unknown>()).url);
    const shippingAddress = { recipient: "Ada", addressLines: ["1 Mill Lane"], locality: "London", regionCode };
    const invalid = {
      code: "InvalidArgument",
      violations: [expect.stringContaining(`order.shipping_address.region_code: Unknown region "${regionCode}".`)],
    };
    expect(await refusal(world.place({ shippingAddress }))).toMatchObject(invalid);
    const { name } = await world.place();
    const updateMask = { paths: ["shipping_address.region_code"] };
    expect(await refusal(world.orders.updateOrder({ order: { name, shippingAddress }, updateMask }))).toMatchObject(
      invalid,
    );
    expect((await world.orders.listOrders({})).orders).toHaveLength(1);
  });
});
