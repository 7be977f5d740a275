import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { confirmedOrder, startLogistics } from "./testing/logistics.ts";

describeEachDatabase("the fence of an order's shipments", (open) => {
  test("a shipment whose order changes during its creation is created from the changed order", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1");
    let announcements = 0;
    it.announced.meanwhile = async () => {
      if (announcements++ === 0) {
        const { shipments } = await it.logistics.fenceOrderShipments({ parent: "orders/o1" });
        expect(shipments).toEqual([]);
        const changed = confirmedOrder("o1");
        const [first, second] = changed.lineItems;
        if (first && second) {
          first.quantityCancelled = 5;
          second.quantityCancelled = 1;
        }
        it.orders.set("orders/o1", changed);
      }
    };
    const { lines } = await it.logistics.createShipment({ parent: "orders/o1", shipmentId: "1", shipment: {} });
    expect(lines).toMatchObject([{ lineItemId: "2", quantity: 1 }]);
    expect(announcements).toBe(2);
    expect((await it.logistics.fenceOrderShipments({ parent: "orders/o1" })).shipments).toMatchObject([
      { name: "orders/o1/shipments/1" },
    ]);
  });

  test("a shipment is never created from an outdated order, even if the order keeps changing", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1");
    it.announced.meanwhile = async () => {
      await it.logistics.fenceOrderShipments({ parent: "orders/o1" });
    };
    const created = it.logistics.createShipment({ parent: "orders/o1", shipment: {} });
    expect(await refusal(created)).toMatchObject({ code: "Aborted", reason: "ORDER_CHANGED" });
    expect((await it.logistics.listShipments({ parent: "orders/o1" })).shipments).toEqual([]);
  });
});
