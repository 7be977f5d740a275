import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { Shipment_State as State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { nowMs } from "../runtime/db/sql.ts";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { until } from "../runtime/testing/until.ts";
import { logisticsDefaults } from "./config.ts";
import { type Logistics, startLogistics } from "./testing/logistics.ts";
import { createScriptedCarrier, type ScriptedCarrier, update } from "./testing/scripted-carrier.ts";

const create = (
  it: Logistics,
  order: string,
  shipmentId = "1",
  lines: { lineItemId: string; quantity: number }[] = [],
) => it.logistics.createShipment({ parent: `orders/${order}`, shipmentId, shipment: { carrier: "scripted", lines } });

const booked = (it: Logistics, name: string) =>
  until(async () => (await it.logistics.getShipment({ name })).trackingNumber !== "");

/** Sets the carrier's tracking updates and syncs the shipment. */
async function report(it: Logistics, carrier: ScriptedCarrier, name: string, ...updates: ScriptedCarrier["updates"]) {
  carrier.updates = updates;
  return it.logistics.syncShipment({ name });
}

describeEachDatabase("cancelling shipments", (open) => {
  const started = async (options: Parameters<typeof startLogistics>[1] = {}) => {
    const carrier = createScriptedCarrier();
    const it = await startLogistics(open, { ...options, carriers: [carrier] });
    it.addOrder("o1");
    return { it, carrier };
  };

  test("a shipment that was never sent to its carrier is cancelled without it", async () => {
    const { it, carrier } = await started();
    await using _ = it;
    const { name } = await create(it, "o1");
    const cancelled = await it.logistics.cancelShipment({ name });
    expect(cancelled.state).toBe(State.CANCELLED);
    expect(await it.logistics.cancelShipment({ name })).toEqual(cancelled);
    await it.service.start();
    expect(carrier.booked).toEqual([]);
    expect(carrier.cancelled).toEqual([]);
    expect(await it.published("o1")).toEqual(["StateChanged", "Cancelled"]);
  });

  test("a booked shipment is cancelled with its carrier, and its lines can be shipped again", async () => {
    const { it, carrier } = await started();
    await using _ = it;
    await it.service.start();
    const { name } = await create(it, "o1");
    await booked(it, name);
    const cancelled = await it.logistics.cancelShipment({ name, requestId: "c1" });
    expect(cancelled.state).toBe(State.CANCELLED);
    expect(carrier.cancelled).toEqual([name]);
    expect(await it.logistics.cancelShipment({ name, requestId: "c1" })).toEqual(cancelled);
    const other = await create(it, "o1", "2");
    expect(other.lines).toHaveLength(2);
    expect(await refusal(it.logistics.cancelShipment({ name: other.name, requestId: "c1" }))).toMatchObject({
      reason: "IDEMPOTENCY_KEY_REUSED",
    });
    expect((await it.logistics.getShipment({ name: other.name })).state).toBe(State.PENDING);
    expect(await it.published("o1")).toContain("Cancelled");
  });

  test("what the carrier has collected cannot be cancelled", async () => {
    const { it, carrier } = await started();
    await using _ = it;
    await it.service.start();
    const { name } = await create(it, "o1");
    await booked(it, name);
    await report(it, carrier, name, update("IN_TRANSIT", 1));
    expect(await refusal(it.logistics.cancelShipment({ name }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "SHIPMENT_UNDER_WAY",
      metadata: { shipment: name, state: "IN_TRANSIT" },
    });
    expect(carrier.cancelled).toEqual([]);
  });

  test("a carrier that has already collected the shipment refuses the cancellation, and tracking continues", async () => {
    const { it, carrier } = await started();
    await using _ = it;
    await it.service.start();
    const { name } = await create(it, "o1");
    await booked(it, name);
    carrier.cancelOutcome = { kind: "too-late", reason: "collected" };
    expect(await refusal(it.logistics.cancelShipment({ name }))).toMatchObject({ reason: "SHIPMENT_UNDER_WAY" });
    expect((await report(it, carrier, name, update("DELIVERED", 5))).state).toBe(State.DELIVERED);
  });

  // Regression: the booking's response was discarded with its claim, and the booking was not repeated for hours.
  test("a shipment that is collected while its booking is in flight is not cancelled, and its booking is recorded", async () => {
    const { it, carrier } = await started();
    await using _ = it;
    const bookingRequested = Promise.withResolvers<void>();
    const bookingResponse = Promise.withResolvers<void>();
    carrier.beforeResponse = async (call) => {
      if (call === "book") {
        bookingRequested.resolve();
        await bookingResponse.promise;
      }
    };
    await it.service.start();
    const { name } = await create(it, "o1");
    await bookingRequested.promise;
    carrier.cancelOutcome = { kind: "too-late", reason: "collected" };
    expect(await refusal(it.logistics.cancelShipment({ name }))).toMatchObject({ reason: "SHIPMENT_UNDER_WAY" });
    bookingResponse.resolve();
    await booked(it, name);
    expect(carrier.booked).toHaveLength(1);
    expect(await it.published("o1")).toEqual(["Created"]);
  });

  test("later carrier updates do not change a shipment that Docket has cancelled", async () => {
    const { it, carrier } = await started();
    await using _ = it;
    await it.service.start();
    const { name } = await create(it, "o1");
    await booked(it, name);
    await it.logistics.cancelShipment({ name });
    const { trackingNumber } = await it.logistics.getShipment({ name });
    const body = JSON.stringify({ trackingNumber, updates: [update("IN_TRANSIT", 1)] });
    const post = { method: "POST", body: Buffer.from(body), headers: { "event-id": "e1" } };
    expect((await it.receive("http://docket.test/v1/webhooks/carriers/scripted", post)).status).toBe(200);
    const after = await it.logistics.getShipment({ name });
    expect(after.state).toBe(State.CANCELLED);
    expect(after.trackingEvents.map(({ carrierStatus }) => carrierStatus)).toContain("in_transit");
    expect(await it.published("o1")).not.toContain("Collected");
    expect(carrier.booked).toHaveLength(1);
  });

  test("the caller receives UNAVAILABLE while the carrier is down, and the cancellation completes in the background", async () => {
    const { it, carrier } = await started({ carrierTimeoutMs: 100 });
    await using _ = it;
    await it.service.start();
    const { name } = await create(it, "o1");
    await booked(it, name);
    let down = true;
    carrier.beforeResponse = async () => {
      if (down) {
        throw new Error("the carrier is down");
      }
    };
    expect(await refusal(it.logistics.cancelShipment({ name }))).toMatchObject({
      code: "Unavailable",
      reason: "CARRIER_UNAVAILABLE",
    });
    expect((await it.logistics.getShipment({ name })).state).toBe(State.PENDING);
    down = false;
    await until(async () => (await it.logistics.getShipment({ name })).state === State.CANCELLED);
    expect(await it.published("o1")).toContain("Cancelled");
  });

  test("a cancellation claimed by a crashed process is UNAVAILABLE before the callers' deadline", async () => {
    const { it } = await started({ carrierTimeoutMs: 1_000 });
    await using _ = it;
    await it.service.start();
    const { name } = await create(it, "o1");
    await booked(it, name);
    await it.service.drain();
    const claimedForLong = sql<number>`${nowMs(it.db.dialect)} + 600000`;
    await it.db.kysely.updateTable("shipments").set({ cancel_requested: 1, due_at: claimedForLong }).execute();
    expect(
      await refusal(it.logistics.cancelOrderShipments({ parent: "orders/o1" }, { timeoutMs: 60_000 })),
    ).toMatchObject({
      code: "Unavailable",
      reason: "CARRIER_UNAVAILABLE",
    });
    expect(logisticsDefaults.carrierTimeoutMs / 2).toBeLessThan(10_000);
  });

  test("cancelling an order's shipments cancels all of them and refuses later ones, even if the order has none", async () => {
    const { it } = await started();
    await using _ = it;
    await create(it, "o1", "1", [{ lineItemId: "1", quantity: 1 }]);
    await create(it, "o1", "2", [{ lineItemId: "1", quantity: 1 }]);
    const { shipments } = await it.logistics.cancelOrderShipments({ parent: "orders/o1" });
    expect(shipments.map(({ state }) => state)).toEqual([State.CANCELLED, State.CANCELLED]);
    expect(await it.logistics.cancelOrderShipments({ parent: "orders/o1" })).toEqual(
      expect.objectContaining({ shipments }),
    );
    expect(await refusal(create(it, "o1", "3"))).toMatchObject({ reason: "ORDER_CLOSED" });
    it.addOrder("o2");
    expect((await it.logistics.cancelOrderShipments({ parent: "orders/o2" })).shipments).toEqual([]);
    expect(await refusal(create(it, "o2"))).toMatchObject({ code: "FailedPrecondition", reason: "ORDER_CLOSED" });
  });

  test("an order with a shipment under way is not cancelled, and stays open", async () => {
    const { it, carrier } = await started();
    await using _ = it;
    await it.service.start();
    const first = await create(it, "o1", "1", [{ lineItemId: "1", quantity: 1 }]);
    await booked(it, first.name);
    await report(it, carrier, first.name, update("OUT_FOR_DELIVERY", 1));
    const second = await create(it, "o1", "2", [{ lineItemId: "1", quantity: 1 }]);
    expect(await refusal(it.logistics.cancelOrderShipments({ parent: "orders/o1" }))).toMatchObject({
      reason: "SHIPMENT_UNDER_WAY",
      metadata: { shipment: first.name, state: "OUT_FOR_DELIVERY" },
    });
    expect((await it.logistics.getShipment({ name: second.name })).state).not.toBe(State.CANCELLED);
    expect((await create(it, "o1", "3")).lines).toHaveLength(2);
  });

  test("an order is reopened if a carrier collects one of its shipments at the last moment", async () => {
    const { it, carrier } = await started();
    await using _ = it;
    await it.service.start();
    const { name } = await create(it, "o1", "1", [{ lineItemId: "1", quantity: 1 }]);
    await booked(it, name);
    carrier.cancelOutcome = { kind: "too-late", reason: "collected" };
    expect(await refusal(it.logistics.cancelOrderShipments({ parent: "orders/o1" }))).toMatchObject({
      reason: "SHIPMENT_UNDER_WAY",
    });
    expect((await create(it, "o1", "2")).lines).toHaveLength(2);
  });

  test("concurrent cancellation and shipment have exactly one winner", async () => {
    const { it, carrier } = await started();
    await using _ = it;
    await it.service.start();
    for (let i = 0; i < 8; i++) {
      const order = `race${i}`;
      it.addOrder(order);
      const [shipped, cancelled] = await Promise.allSettled([
        create(it, order),
        it.logistics.cancelOrderShipments({ parent: `orders/${order}` }),
      ]);
      expect(cancelled.status).toBe("fulfilled");
      const { shipments } = await it.logistics.listShipments({ parent: `orders/${order}` });
      expect(shipments.map(({ state }) => State[state])).toEqual(shipped.status === "fulfilled" ? ["CANCELLED"] : []);
    }
    const live = carrier.booked.filter(({ reference }) => !carrier.cancelled.includes(reference));
    expect(live).toEqual([]);
  });
});
