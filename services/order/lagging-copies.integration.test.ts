import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { Shipment_State, ShipmentSchema } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { Automation, Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { type RunningOrders, startOrders } from "./testing/running-orders.ts";

/** A shipment that the logistics service has stored and not yet published. */
function createUntold(
  world: RunningOrders,
  name: string,
  is: Parameters<typeof create<typeof ShipmentSchema>>[1] = {},
) {
  const lines = [{ lineItemId: "1", sku: "TEA", quantity: 2 }];
  const shipment = create(ShipmentSchema, { name, state: Shipment_State.PENDING, lines, ...is });
  world.logistics.shipments.set(name, shipment);
}

describeEachDatabase("what the order service decides while its copies lag", (open) => {
  const start = async () => {
    const world = await startOrders((await open<unknown>()).url);
    const { name } = await world.confirmed({ fulfillment: Automation.MANUAL });
    const move = (locality: string) =>
      world.orders.updateOrder({
        order: { name, shippingAddress: { locality } },
        updateMask: { paths: ["shipping_address.locality"] },
      });
    return { world, name, move };
  };

  test("the address cannot change once the shipment with its label exists", async () => {
    const { world: opened, name, move } = await start();
    await using world = opened;
    createUntold(world, `${name}/shipments/1`);
    expect(await refusal(move("Paris"))).toMatchObject({
      code: "FailedPrecondition",
      reason: "SHIPMENT_EXISTS",
      metadata: { shipment: `${name}/shipments/1` },
    });
    expect((await world.orders.getOrder({ name })).shippingAddress?.locality).toBe("London");
    const noted = await world.orders.updateOrder({ order: { name, note: "ring" }, updateMask: { paths: ["note"] } });
    expect(noted.note).toBe("ring");
  });

  test("the address may change again once the shipment is cancelled or closed, published or not", async () => {
    const { world: opened, name, move } = await start();
    await using world = opened;
    createUntold(world, `${name}/shipments/1`, { state: Shipment_State.CANCELLED });
    createUntold(world, `${name}/shipments/2`, { state: Shipment_State.LOST, closeTime: timestampFromMs(1) });
    expect((await move("Paris")).shippingAddress?.locality).toBe("Paris");
  });

  test("a change of the address sees a shipment that is announced during the change", async () => {
    const { world: opened, name, move } = await start();
    await using world = opened;
    let announced = 0;
    world.logistics.control.whenFenced = async () => {
      if (announced++ === 0) {
        const { shippingAddress } = await world.asLogistics.announceShipment({ name });
        expect(shippingAddress?.locality).toBe("London");
        createUntold(world, `${name}/shipments/1`);
      }
    };
    expect(await refusal(move("Paris"))).toMatchObject({ reason: "SHIPMENT_EXISTS" });
    expect(announced).toBe(2);
  });

  test("a shipment that is announced after a change of the address gets the new one", async () => {
    const { world: opened, name, move } = await start();
    await using world = opened;
    await move("Paris");
    expect((await world.asLogistics.announceShipment({ name })).shippingAddress?.locality).toBe("Paris");
  });

  test("a shipment that is announced while an order is put on hold exists before the order is held, or is never created", async () => {
    const { world: opened, name } = await start();
    await using world = opened;
    let fences = 0;
    world.logistics.control.whenFenced = async () => {
      fences += 1;
      if (fences === 1) {
        await world.asLogistics.announceShipment({ name });
      }
    };
    await world.orders.holdOrder({ name });
    expect(fences).toBe(2);
    expect((await world.asLogistics.announceShipment({ name })).state).toBe(Order_State.ON_HOLD);
  });

  test("units in an unpublished shipment cannot be cancelled", async () => {
    const { world: opened, name } = await start();
    await using world = opened;
    createUntold(world, `${name}/shipments/1`);
    const lines = [{ lineItemId: "1", quantity: 1 }];
    expect(await refusal(world.orders.cancelOrderLines({ name, lines }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "QUANTITY_EXCEEDED",
      violations: [`QUANTITY ${name}#1: line 1: 1 requested, 0 can be cancelled`],
    });
  });
});
