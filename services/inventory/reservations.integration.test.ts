import { expect, test } from "@jest/globals";
import { Reservation_State as State } from "../../gen/docket/inventory/v1/inventory_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { until } from "../runtime/testing/until.ts";
import { auditBooks } from "./testing/books.ts";
import { longTtl, startInventory, tenant } from "./testing/inventory.ts";
import { shipmentCollected } from "./testing/shipment-collected.ts";

type Inventory = Awaited<ReturnType<typeof startInventory>>;

const stocked = async (it: Inventory, stock: Record<string, bigint>) => {
  const items = Object.entries(stock).map(([sku, stockOnHand]) => ({ sku, title: sku, stockOnHand }));
  await it.inventory.batchUpsertItems({ items });
};

const reserve = (
  it: Inventory,
  id: string,
  quantities: Record<string, bigint>,
  ttl: { seconds?: bigint; nanos?: number } = longTtl,
) =>
  it.inventory.reserveStock({
    name: `reservations/${id}`,
    order: `orders/${id}`,
    items: Object.entries(quantities).map(([sku, quantity]) => ({ sku, quantity })),
    ttl,
  });

const stockOf = async (it: Inventory, sku: string) => {
  const { stockOnHand, stockReserved } = await it.inventory.getItem({ name: `items/${sku}` });
  return [stockOnHand, stockReserved];
};

let events = 0;
const collected = (it: Inventory, order: string, units: Record<string, number>, id = `event-${++events}`) =>
  it.bus.publish([shipmentCollected(tenant, order, units, id)]);

describeEachDatabase("reservations", (open) => {
  test("stock is held, committed, and consumed by its shipments", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 10n, chang: 5n });
    const held = await reserve(it, "o1", { chai: 3n, chang: 1n });
    expect(held).toMatchObject({ name: "reservations/o1", order: "orders/o1", state: State.HELD });
    expect(await stockOf(it, "chai")).toEqual([10n, 3n]);
    const committed = await it.inventory.commitReservation({ name: held.name });
    expect(committed.state).toBe(State.COMMITTED);
    expect(committed.expireTime).toBeUndefined();
    await collected(it, "o1", { chai: 2 });
    expect(await stockOf(it, "chai")).toEqual([8n, 1n]);
    expect((await it.inventory.getReservation({ name: held.name })).state).toBe(State.COMMITTED);
    await collected(it, "o1", { chai: 1, chang: 1 });
    expect((await it.inventory.getReservation({ name: held.name })).state).toBe(State.CONSUMED);
    expect(await stockOf(it, "chai")).toEqual([7n, 0n]);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("a duplicate event consumes the goods once", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 10n });
    await it.inventory.commitReservation({ name: (await reserve(it, "o1", { chai: 4n })).name });
    await collected(it, "o1", { chai: 2 }, "the-event");
    await collected(it, "o1", { chai: 2 }, "the-event");
    expect(await stockOf(it, "chai")).toEqual([8n, 2n]);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("goods of a released order that were collected anyway are taken from the available stock", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 10n });
    const { name } = await reserve(it, "o1", { chai: 4n });
    await it.inventory.releaseReservation({ name });
    await collected(it, "o1", { chai: 4 });
    expect(await stockOf(it, "chai")).toEqual([6n, 0n]);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("every SKU in shortage is reported, and nothing is held", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 2n, chang: 1n, syrup: 9n });
    const asked = it.inventory.reserveStock({
      name: "reservations/o1",
      order: "orders/o1",
      items: [
        { sku: "syrup", quantity: 1n },
        { sku: "chang", quantity: 1n },
        { sku: "chai", quantity: 3n },
        { sku: "chang", quantity: 1n },
        { sku: "none", quantity: 1n },
      ],
      ttl: longTtl,
    });
    expect(await refusal(asked)).toEqual({
      code: "FailedPrecondition",
      reason: "OUT_OF_STOCK",
      metadata: { sku: "chai", wanted: "3", available: "2" },
      violations: [
        "OUT_OF_STOCK items/chai: wanted 3, available 2",
        "OUT_OF_STOCK items/chang: wanted 2, available 1",
        "OUT_OF_STOCK items/none: wanted 1, available 0",
      ],
    });
    expect(await stockOf(it, "syrup")).toEqual([9n, 0n]);
    expect(await refusal(it.inventory.getReservation({ name: "reservations/o1" }))).toMatchObject({ code: "NotFound" });
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("reserving twice under a name is one reservation, and different content is refused", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 10n });
    const first = await reserve(it, "o1", { chai: 3n });
    const { name, state, items } = first;
    expect(await reserve(it, "o1", { chai: 3n })).toMatchObject({ name, state, items });
    await it.inventory.commitReservation({ name: first.name });
    expect((await reserve(it, "o1", { chai: 3n })).state).toBe(State.COMMITTED);
    expect(await refusal(reserve(it, "o1", { chai: 4n }))).toMatchObject({ reason: "RESERVATION_EXISTS" });
    expect(await stockOf(it, "chai")).toEqual([10n, 3n]);
  });

  test("a name that was released before it was reserved stays released", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 10n });
    const tombstone = await it.inventory.releaseReservation({ name: "reservations/o1" });
    expect(tombstone).toMatchObject({ state: State.RELEASED, items: [] });
    expect(await refusal(reserve(it, "o1", { chai: 1n }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "RESERVATION_RELEASED",
    });
    expect(await stockOf(it, "chai")).toEqual([10n, 0n]);
  });

  test("a release returns the units still in the warehouse, from HELD and COMMITTED, once", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 10n });
    const { name } = await reserve(it, "o1", { chai: 4n });
    await it.inventory.commitReservation({ name });
    await collected(it, "o1", { chai: 1 });
    const released = await it.inventory.releaseReservation({ name });
    expect(released.state).toBe(State.RELEASED);
    expect(released.items[0]).toMatchObject({ quantity: 4n, quantityConsumed: 1n });
    expect(await it.inventory.releaseReservation({ name })).toEqual(released);
    expect(await stockOf(it, "chai")).toEqual([9n, 0n]);
    expect(await refusal(it.inventory.commitReservation({ name }))).toMatchObject({ reason: "RESERVATION_RELEASED" });
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("an overdue hold is released by the sweep, and cannot be committed", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 10n });
    await it.service.start();
    const { name } = await reserve(it, "o1", { chai: 4n }, { nanos: 50_000_000 });
    await until(async () => (await it.inventory.getReservation({ name })).state === State.EXPIRED);
    expect(await stockOf(it, "chai")).toEqual([10n, 0n]);
    expect(await refusal(it.inventory.commitReservation({ name }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "RESERVATION_EXPIRED",
    });
    expect(await refusal(reserve(it, "o1", { chai: 4n }))).toMatchObject({ reason: "RESERVATION_EXPIRED" });
    expect((await reserve(it, "o1-2", { chai: 10n })).state).toBe(State.HELD);
    const published = await it.db.kysely.selectFrom("outbox_messages").select("type").execute();
    expect(published.filter(({ type }) => type.endsWith("ReservationExpired")).length).toBe(1);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("reserving again extends a hold, never shortens it, and does not revive an overdue one", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 10n });
    const ends = ({ expireTime }: { expireTime?: { seconds: bigint } | undefined }) =>
      Number(expireTime?.seconds ?? 0n);
    const first = await reserve(it, "o1", { chai: 4n }, { seconds: 1_000n });
    const extended = await reserve(it, "o1", { chai: 4n }, longTtl);
    expect(ends(extended) - ends(first)).toBeGreaterThan(2_000);
    expect(ends(await reserve(it, "o1", { chai: 4n }, { seconds: 1_000n }))).toBe(ends(extended));
    expect(await stockOf(it, "chai")).toEqual([10n, 4n]);

    await reserve(it, "o2", { chai: 4n }, { nanos: 1_000_000 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await refusal(reserve(it, "o2", { chai: 4n }))).toMatchObject({ reason: "RESERVATION_EXPIRED" });
    expect(await stockOf(it, "chai")).toEqual([10n, 4n]);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("an overdue hold cannot be committed even before the sweep", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 10n });
    const { name } = await reserve(it, "o1", { chai: 4n }, { nanos: 1_000_000 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await refusal(it.inventory.commitReservation({ name }))).toMatchObject({ reason: "RESERVATION_EXPIRED" });
    expect((await it.inventory.getReservation({ name })).state).toBe(State.EXPIRED);
    expect(await stockOf(it, "chai")).toEqual([10n, 0n]);
  });

  test("reservations are listed newest first, by filter and page", async () => {
    await using it = await startInventory(open);
    await stocked(it, { chai: 100n });
    for (const id of ["o1", "o2", "o3"]) {
      await reserve(it, id, { chai: 1n });
    }
    await it.inventory.commitReservation({ name: "reservations/o2" });
    const first = await it.inventory.listReservations({ pageSize: 2 });
    const second = await it.inventory.listReservations({ pageSize: 2, pageToken: first.nextPageToken });
    expect([...first.reservations, ...second.reservations].map(({ order }) => order)).toEqual([
      "orders/o3",
      "orders/o2",
      "orders/o1",
    ]);
    expect(second.nextPageToken).toBe("");
    const committed = await it.inventory.listReservations({ filter: "state = COMMITTED" });
    expect(committed.reservations.map(({ name }) => name)).toEqual(["reservations/o2"]);
    const ofOrder = await it.inventory.listReservations({ filter: 'order = "orders/o1"' });
    expect(ofOrder.reservations.map(({ name }) => name)).toEqual(["reservations/o1"]);
  });

  test("an invalid reservation is refused with every violation", async () => {
    await using it = await startInventory(open);
    const items = [{ sku: "chai", quantity: 1_000_000_000_001n }];
    const request = { name: "reservations/o1", order: "o1", items, ttl: { seconds: -1n } };
    expect(await refusal(it.inventory.reserveStock(request))).toMatchObject({
      code: "InvalidArgument",
      violations: [
        "items: must not sum up to more than 1000000000000 units of a SKU",
        "ttl: must be more than 0 and at most 366 days",
        "order: must be an order's name, orders/{order}",
      ],
    });
  });
});
