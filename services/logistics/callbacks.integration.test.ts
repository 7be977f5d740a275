import { expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { Shipment_State as State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { until } from "../runtime/testing/until.ts";
import { sandboxCarrierSecret } from "../sandbox/testing/running-sandbox.ts";
import { type Logistics, startLogistics } from "./testing/logistics.ts";

const webhook = new Webhook(sandboxCarrierSecret);
const sandbox = "http://docket.test/v1/webhooks/carriers/sandbox";

const event = (trackingNumber: string, status: string, second: number) => ({
  id: `${trackingNumber}-${status}-${second}`,
  tracking_number: trackingNumber,
  status,
  message: "",
  location: "",
  occurred_at: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
});

function post(body: string, { id = "evt", at = new Date(), signature = webhook.sign(id, at, body) } = {}): RequestInit {
  const headers = {
    authorization: "Bearer not-ours",
    "webhook-id": id,
    "webhook-timestamp": `${Math.floor(at.getTime() / 1000)}`,
    "webhook-signature": signature,
  };
  return { method: "POST", body: Buffer.from(body), headers };
}

/** Books a shipment that changes state only by the test's callbacks. */
async function bookedShipment(it: Logistics, order = "o1") {
  it.addOrder(order);
  const created = await it.logistics.createShipment({
    parent: `orders/${order}`,
    shipment: { carrierService: "stay" },
  });
  await it.service.start();
  await until(async () => (await it.logistics.getShipment({ name: created.name })).trackingNumber !== "");
  return it.logistics.getShipment({ name: created.name });
}

const reportStatus = (it: Logistics, trackingNumber: string, status: string, second: number) => {
  const body = event(trackingNumber, status, second);
  return it.receive(sandbox, post(JSON.stringify(body), { id: body.id }));
};

const storedCallbacks = (it: Logistics) =>
  it.db.kysely
    .selectFrom("inbound_callbacks")
    .select(["state", "headers", "receive_count", "tenant_id"])
    .orderBy("id")
    .execute();

describeEachDatabase("callbacks of carriers", (open) => {
  test("a signed callback updates its shipment and returns the acknowledgement that the carrier expects", async () => {
    await using it = await startLogistics(open);
    const { name, trackingNumber } = await bookedShipment(it);
    const response = await reportStatus(it, trackingNumber, "in_transit", 1);
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      200,
      "application/json",
      '{"received":true}',
    ]);
    expect((await it.logistics.getShipment({ name })).state).toBe(State.IN_TRANSIT);
    const [callback] = await storedCallbacks(it);
    expect(callback?.state).toBe("PROCESSED");
    expect(callback?.headers).not.toContain("not-ours");
  });

  const another = new Webhook(Buffer.alloc(32, 1).toString("base64"));
  test.each([
    ["signed with another secret", (body: string) => ({ signature: another.sign("evt", new Date(), body) })],
    ["without a signature", () => ({ signature: "" })],
    ["signed an hour ago", () => ({ at: new Date(Date.now() - 3_600_000) })],
    ["signed for another message", (body: string) => ({ signature: webhook.sign("other", new Date(), body) })],
  ])("a callback %s is refused and leaves nothing behind", async (_, how) => {
    await using it = await startLogistics(open);
    const { name, trackingNumber } = await bookedShipment(it);
    const body = JSON.stringify(event(trackingNumber, "delivered", 1));
    const response = await it.receive(sandbox, post(body, how(body)));
    expect(response.status).toBe(401);
    expect((await it.logistics.getShipment({ name })).state).toBe(State.PENDING);
    expect(await storedCallbacks(it)).toEqual([]);
  });

  test("a callback with a modified body is refused", async () => {
    await using it = await startLogistics(open);
    const { name, trackingNumber } = await bookedShipment(it);
    const signed = JSON.stringify(event(trackingNumber, "in_transit", 1));
    const request = post(signed);
    const changed = { ...request, body: Buffer.from(signed.replace("in_transit", "delivered")) };
    expect((await it.receive(sandbox, changed)).status).toBe(401);
    expect((await it.logistics.getShipment({ name })).state).toBe(State.PENDING);
  });

  test("duplicate, concurrent and reordered callbacks end in the same state", async () => {
    await using it = await startLogistics(open);
    const { name, trackingNumber } = await bookedShipment(it);
    const stages = ["delivered", "out_for_delivery", "in_transit", "info_received"];
    const all = [...stages, ...stages, ...stages].map((status) =>
      reportStatus(it, trackingNumber, status, 4 - stages.indexOf(status)),
    );
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual(all.map(() => 200));
    const shipment = await it.logistics.getShipment({ name });
    expect(shipment.state).toBe(State.DELIVERED);
    expect(shipment.trackingEvents.map(({ carrierStatus }) => carrierStatus)).toEqual(stages.toReversed());
    const published = await it.published("o1");
    expect(published.filter((type) => type === "Collected")).toHaveLength(1);
    expect(published.filter((type) => type === "Delivered")).toHaveLength(1);
    const stored = await storedCallbacks(it);
    expect(stored.map((callback) => callback.receive_count)).toEqual([3, 3, 3, 3]);
    expect(stored.map(({ state }) => state).filter((state) => state === "RECEIVED" || state === "FAILED")).toEqual([]);
  });

  test("late callbacks never move a shipment back from DELIVERED", async () => {
    await using it = await startLogistics(open);
    const { name, trackingNumber } = await bookedShipment(it);
    await reportStatus(it, trackingNumber, "delivered", 5);
    for (const status of ["info_received", "in_transit", "attempt_failed", "lost", "returning"]) {
      await reportStatus(it, trackingNumber, status, 50);
      expect((await it.logistics.getShipment({ name })).state).toBe(State.DELIVERED);
    }
  });

  test("a callback for an unknown shipment is stored and processed once the shipment appears", async () => {
    await using it = await startLogistics(open);
    expect((await reportStatus(it, "SBX-EARLY", "in_transit", 1)).status).toBe(200);
    expect(await storedCallbacks(it)).toMatchObject([{ state: "RECEIVED", tenant_id: null }]);
    const { name } = await bookedShipment(it);
    await it.db.kysely.updateTable("shipments").set({ tracking_number: "SBX-EARLY" }).execute();
    await until(async () => (await it.logistics.getShipment({ name })).state === State.IN_TRANSIT);
    expect((await storedCallbacks(it)).map(({ state }) => state)).toEqual(["PROCESSED"]);
  });

  test("a signed callback that cannot be parsed returns 200 and is stored as FAILED for manual review", async () => {
    await using it = await startLogistics(open);
    for (const [i, body] of ["{", "[]", "null", '{"id":"x"}', "\u0000"].entries()) {
      expect((await it.receive(sandbox, post(body, { id: `evt_${i}` }))).status).toBe(200);
    }
    expect((await storedCallbacks(it)).map(({ state }) => state)).toEqual(Array.from({ length: 5 }, () => "FAILED"));
  });

  test("an unknown carrier status is stored and does not change the state", async () => {
    await using it = await startLogistics(open);
    const { name, trackingNumber } = await bookedShipment(it);
    expect((await reportStatus(it, trackingNumber, "teleported", 1)).status).toBe(200);
    const shipment = await it.logistics.getShipment({ name });
    expect(shipment.state).toBe(State.PENDING);
    expect(shipment.trackingEvents).toMatchObject([{ state: State.STATE_UNSPECIFIED, carrierStatus: "teleported" }]);
  });
});
