import { expect, test } from "@jest/globals";
import { Shipment_State as State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { Order_State as OrderState } from "../../gen/docket/order/v1/order_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { until } from "../runtime/testing/until.ts";
import { type Logistics, startLogistics } from "./testing/logistics.ts";

const create = (it: Logistics, order: string, shipmentId: string, carrierService: string) =>
  it.logistics.createShipment({ parent: `orders/${order}`, shipmentId, shipment: { carrierService } });

const reached = async (it: Logistics, name: string, state: State) => {
  await until(async () => (await it.logistics.getShipment({ name })).state === state);
  return it.logistics.getShipment({ name });
};

const words = (shipment: { trackingEvents: { carrierStatus: string }[] }) =>
  shipment.trackingEvents.map(({ carrierStatus }) => carrierStatus);

describeEachDatabase("shipments with the sandbox carrier", (open) => {
  test("a standard shipment is booked, followed by callbacks, and delivered", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1");
    const created = await create(it, "o1", "1", "standard");
    expect(created).toMatchObject({ name: "orders/o1/shipments/1", state: State.PENDING, carrier: "sandbox" });
    expect(created.lines.map(({ lineItemId, sku, quantity }) => [lineItemId, sku, quantity])).toEqual([
      ["1", "chai", 5],
      ["2", "chang", 2],
    ]);
    await it.service.start();
    await reached(it, created.name, State.DELIVERED);
    // Callbacks can be reordered: an earlier one may arrive after the last.
    await until(async () => words(await it.logistics.getShipment({ name: created.name })).length === 4);
    const delivered = await it.logistics.getShipment({ name: created.name });
    expect(delivered.trackingNumber).toMatch(/^SBX/);
    expect(words(delivered)).toEqual(["info_received", "in_transit", "out_for_delivery", "delivered"]);
    expect(delivered.deliverTime).toEqual(delivered.trackingEvents.at(-1)?.eventTime);
    const published = await it.published("o1");
    expect(published[0]).toBe("Created");
    expect(published.filter((type) => type === "Collected")).toHaveLength(1);
    expect(published.at(-1)).toBe("Delivered");
  });

  test.each([
    ["deliver_now", State.DELIVERED],
    ["duplicate", State.DELIVERED],
    ["reordered", State.DELIVERED],
    ["attempt_failed", State.DELIVERED],
    ["lost", State.EXCEPTION],
    ["return", State.RETURNED],
  ])("the service %s ends in its documented state, with one collection and events in order", async (service, state) => {
    await using it = await startLogistics(open, { stepMs: 10 });
    it.addOrder("o1");
    const { name } = await create(it, "o1", "1", service);
    await it.service.start();
    const settled = async () => {
      const pending = await it.sandbox.db.kysely
        .selectFrom("callbacks")
        .select("id")
        .where("due_at", "is not", null)
        .execute();
      return pending.length === 0;
    };
    await reached(it, name, state);
    await until(settled);
    const ended = await it.logistics.getShipment({ name });
    expect(ended.state).toBe(state);
    const times = ended.trackingEvents.map(
      ({ eventTime }) => Number(eventTime?.seconds) * 1e9 + (eventTime?.nanos ?? 0),
    );
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const published = await it.published("o1");
    expect(published.filter((type) => type === "Collected")).toHaveLength(1);
    expect(published.filter((type) => type === "Delivered")).toHaveLength(state === State.DELIVERED ? 1 : 0);
  });

  test("a parcel without callbacks advances one stage per sync", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1");
    const { name } = await create(it, "o1", "1", "stay");
    await it.service.start();
    await until(async () => (await it.logistics.getShipment({ name })).trackingNumber !== "");
    const seen: State[] = [(await it.logistics.getShipment({ name })).state];
    for (let i = 0; i < 5; i++) {
      seen.push((await it.logistics.syncShipment({ name })).state);
    }
    expect(seen.map((state) => State[state])).toEqual([
      "PENDING",
      "INFO_RECEIVED",
      "IN_TRANSIT",
      "OUT_FOR_DELIVERY",
      "DELIVERED",
      "DELIVERED",
    ]);
  });

  test("a refused booking ends CANCELLED, with the reason in a tracking event", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1");
    const { name } = await create(it, "o1", "1", "refuse");
    await it.service.start();
    const refused = await reached(it, name, State.CANCELLED);
    expect(refused.trackingEvents).toHaveLength(1);
    expect(refused.trackingEvents[0]?.message).toContain("standard, deliver_now, stay");
    expect(await it.published("o1")).toEqual(["StateChanged", "Cancelled"]);
    expect((await create(it, "o1", "2", "standard")).lines).toHaveLength(2);
  });

  test("an order can be shipped in parts, and no line exceeds its quantity", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1");
    const parent = "orders/o1";
    await it.logistics.createShipment({ parent, shipment: { lines: [{ lineItemId: "1", quantity: 3 }] } });
    const tooMany = it.logistics.createShipment({ parent, shipment: { lines: [{ lineItemId: "1", quantity: 3 }] } });
    expect(await refusal(tooMany)).toMatchObject({
      code: "FailedPrecondition",
      reason: "QUANTITY_EXCEEDED",
      metadata: { line_item_id: "1", sku: "chai", wanted: "3", left: "2" },
      violations: ["QUANTITY orders/o1#1: line 1: wanted 3, left to ship 2"],
    });
    const rest = await it.logistics.createShipment({ parent, shipment: {} });
    expect(rest.lines.map(({ lineItemId, quantity }) => [lineItemId, quantity])).toEqual([
      ["1", 2],
      ["2", 2],
    ]);
    expect(await refusal(it.logistics.createShipment({ parent, shipment: {} }))).toMatchObject({
      reason: "NOTHING_TO_SHIP",
    });
    const page = await it.logistics.listShipments({ parent, pageSize: 1 });
    expect(page.shipments[0]?.name).toBe(rest.name);
    const all = await it.logistics.listShipments({ parent: "orders/-", pageToken: "", filter: "state = PENDING" });
    expect(all.shipments).toHaveLength(2);
  });

  test("concurrent requests to ship the remainder create one shipment", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1");
    const asked = Array.from({ length: 6 }, () => it.logistics.createShipment({ parent: "orders/o1", shipment: {} }));
    const results = await Promise.allSettled(asked);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("a shipment is created once per key and once per id", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1");
    const request = { parent: "orders/o1", shipment: { labels: { a: "b" } }, requestId: "k" };
    const first = await it.logistics.createShipment(request);
    expect(await it.logistics.createShipment(request)).toEqual(first);
    expect(await refusal(it.logistics.createShipment({ ...request, shipment: {} }))).toMatchObject({
      reason: "IDEMPOTENCY_KEY_REUSED",
    });
    it.addOrder("o2");
    const named = await create(it, "o2", "1", "standard");
    it.addOrder("o2", { state: OrderState.COMPLETED });
    expect(await create(it, "o2", "1", "standard")).toEqual(named);
    expect(await refusal(create(it, "o2", "1", "stay"))).toMatchObject({ reason: "SHIPMENT_EXISTS" });
    expect((await it.logistics.listShipments({ parent: "orders/-", filter: 'labels.a = "b"' })).shipments).toHaveLength(
      1,
    );
  });

  test("an order that cannot be shipped is refused with the reason", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1", { state: OrderState.AWAITING_PAYMENT });
    expect(await refusal(create(it, "o1", "1", ""))).toMatchObject({
      code: "FailedPrecondition",
      reason: "ORDER_NOT_SHIPPABLE",
      metadata: { state: "AWAITING_PAYMENT" },
    });
    expect(await refusal(create(it, "none", "1", ""))).toMatchObject({ code: "NotFound" });
    it.addOrder("o2", { carrier: "pigeon" });
    expect(await refusal(create(it, "o2", "1", ""))).toMatchObject({
      code: "InvalidArgument",
      violations: ['shipment.carrier: Unknown carrier "pigeon". Known carriers: sandbox.'],
    });
    it.addOrder("o4");
    const sandboxServices = "standard, deliver_now, stay, duplicate, reordered, lost, attempt_failed, return, refuse";
    expect(await refusal(create(it, "o4", "1", "overnight"))).toMatchObject({
      code: "InvalidArgument",
      violations: [
        `shipment.carrier_service: Unknown sandbox service "overnight". Known sandbox services: ${sandboxServices}.`,
      ],
    });
    expect(await it.published("o4")).toEqual([]);
    expect((await it.logistics.listShipments({ parent: "orders/-" })).shipments).toEqual([]);
    it.addOrder("o3");
    const line = (lineItemId: string) => ({ lineItemId, quantity: 1 });
    const twice = it.logistics.createShipment({ parent: "orders/o3", shipment: { lines: [line("1"), line("1")] } });
    expect((await refusal(twice)).violations).toEqual(["shipment.lines[1].line_item_id: repeats a line"]);
    const unknown = it.logistics.createShipment({ parent: "orders/o3", shipment: { lines: [line("9")] } });
    expect((await refusal(unknown)).violations).toEqual(['shipment.lines.line_item_id: the order has no line "9"']);
  });

  test("an order without funds gets no new shipment, and a repeated request returns the existing one", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1");
    const first = await create(it, "o1", "1", "");
    it.unfunded.add("orders/o1").add("orders/o2");
    it.addOrder("o2");
    expect(await refusal(create(it, "o2", "1", ""))).toMatchObject({
      code: "FailedPrecondition",
      reason: "ORDER_NOT_FUNDED",
    });
    expect(await create(it, "o1", "1", "")).toEqual(first);
  });

  test("tenants cannot see or change each other's shipments", async () => {
    await using it = await startLogistics(open);
    it.addOrder("o1");
    const { name } = await create(it, "o1", "1", "standard");
    const other = it.clientOf("tenant-b");
    expect(await refusal(other.getShipment({ name }))).toMatchObject({ code: "NotFound" });
    expect(await refusal(other.cancelShipment({ name }))).toMatchObject({ code: "NotFound" });
    expect((await other.listShipments({ parent: "orders/-" })).shipments).toEqual([]);
  });
});
