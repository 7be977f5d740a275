import { expect, test } from "@jest/globals";
import { Shipment_State as State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { CloseShipmentRequest_Outcome as Outcome } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { until } from "../runtime/testing/until.ts";
import { startLogistics } from "./testing/logistics.ts";
import { createScriptedCarrier, update } from "./testing/scripted-carrier.ts";

describeEachDatabase("closing shipments", (open) => {
  /** Starts the service with a booked shipment of 5 and 2 units, for which the carrier has reported these states. */
  const start = async (...states: Parameters<typeof update>[0][]) => {
    const carrier = createScriptedCarrier();
    const it = await startLogistics(open, { carriers: [carrier] });
    it.addOrder("o1", { carrier: "scripted" });
    await it.service.start();
    const { name } = await it.logistics.createShipment({ parent: "orders/o1", shipmentId: "1", shipment: {} });
    await until(async () => (await it.logistics.getShipment({ name })).trackingNumber !== "");
    carrier.updates = states.map((state, second) => update(state, second));
    await it.logistics.syncShipment({ name });
    const close = (outcome: Outcome, writtenOff: { lineItemId: string; quantity: number }[] = []) =>
      it.logistics.closeShipment({ name, outcome, writtenOff });
    return { it, carrier, name, close };
  };

  test("a lost shipment is published once, and its units can be shipped again", async () => {
    const { it: opened, carrier, name, close } = await start("IN_TRANSIT", "EXCEPTION");
    await using it = opened;
    const closed = await close(Outcome.LOST);
    expect(closed).toMatchObject({ state: State.LOST, lines: [{ quantityRestocked: 0 }, { quantityRestocked: 0 }] });
    expect(closed.closeTime).toBeDefined();
    expect(await close(Outcome.LOST)).toEqual(closed);
    expect(await refusal(close(Outcome.RETURNED))).toMatchObject({ reason: "SHIPMENT_NOT_CLOSABLE" });
    expect((await it.published("o1")).filter((type) => type === "Closed")).toHaveLength(1);

    let announced: { sku: string; quantity: bigint }[] = [];
    it.announced.meanwhile = async (units) => {
      announced = units.map(({ sku, quantity }) => ({ sku, quantity }));
    };
    const again = await it.logistics.createShipment({ parent: "orders/o1", shipmentId: "2", shipment: {} });
    expect(again.lines).toMatchObject([{ quantity: 5 }, { quantity: 2 }]);
    expect(announced.sort((a, b) => (a.sku < b.sku ? -1 : 1))).toEqual([
      { sku: "chai", quantity: 5n },
      { sku: "chang", quantity: 2n },
    ]);

    carrier.updates = [update("DELIVERED", 9)];
    expect((await it.logistics.syncShipment({ name })).state).toBe(State.LOST);
  });

  test("returned units go back into stock, except those that are written off", async () => {
    const { it: opened, close } = await start("IN_TRANSIT", "RETURNED");
    await using it = opened;
    expect(await refusal(close(Outcome.LOST, [{ lineItemId: "1", quantity: 1 }]))).toMatchObject({
      code: "InvalidArgument",
    });
    expect(await refusal(close(Outcome.RETURNED, [{ lineItemId: "2", quantity: 3 }]))).toMatchObject({
      violations: ["written_off[0].quantity: the shipment holds 2 units of the line"],
    });
    const closed = await close(Outcome.RETURNED, [{ lineItemId: "1", quantity: 2 }]);
    expect(closed).toMatchObject({
      state: State.RETURNED,
      lines: [{ quantityRestocked: 3 }, { quantityRestocked: 2 }],
    });
    expect(await it.published("o1")).toEqual(["Created", "Collected", "StateChanged", "Closed"]);
  });

  test("goods lost before the carrier reported their collection count as having left the warehouse", async () => {
    const { it: opened, close } = await start("EXCEPTION");
    await using it = opened;
    await close(Outcome.LOST);
    expect(await it.published("o1")).toEqual(["Created", "StateChanged", "Collected", "StateChanged", "Closed"]);
  });

  test("a shipment that is delivered, cancelled or not collected cannot be closed", async () => {
    for (const [state, hint] of [
      ["DELIVERED", "a delivered shipment cannot be closed"],
      ["INFO_RECEIVED", "cancel it with CancelShipment"],
      ["CANCELLED", "its units can be shipped again without closing it"],
    ] as const) {
      const { it: opened, close } = await start(state);
      await using it = opened;
      expect(await refusal(close(Outcome.LOST))).toMatchObject({
        reason: "SHIPMENT_NOT_CLOSABLE",
        violations: [expect.stringContaining(hint)],
      });
      expect(await it.published("o1")).not.toContain("Closed");
    }
  });

  test("cancelling an order's shipments closes returned ones", async () => {
    const { it: opened, name } = await start("IN_TRANSIT", "RETURNED");
    await using it = opened;
    await it.logistics.cancelOrderShipments({ parent: "orders/o1" });
    await it.logistics.cancelOrderShipments({ parent: "orders/o1" });
    expect(await it.logistics.getShipment({ name })).toMatchObject({
      state: State.RETURNED,
      lines: [{ quantityRestocked: 5 }, { quantityRestocked: 2 }],
    });
    expect((await it.published("o1")).filter((type) => type === "Closed")).toHaveLength(1);
  });
});
