import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import { Reservation_State as State, StockMovementType } from "../../gen/docket/inventory/v1/inventory_pb.js";
import { ShipmentClosedSchema } from "../../gen/docket/logistics/v1/logistics_events_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { auditBooks } from "./testing/books.ts";
import { longTtl, startInventory, tenant } from "./testing/inventory.ts";
import { shipmentCollected } from "./testing/shipment-collected.ts";

const name = "reservations/o1";

describeEachDatabase("goods that are lost, come back or are cancelled", (open) => {
  /** Starts with ten units: five committed to an order, of which the given number have left the warehouse. */
  const start = async (gone: number) => {
    const it = await startInventory(open);
    await it.inventory.createItem({ item: { sku: "chai", title: "Chai", stockOnHand: 10n } });
    const items = [{ sku: "chai", quantity: 5n }];
    await it.inventory.reserveStock({ name, order: "orders/o1", items, ttl: longTtl });
    await it.inventory.commitReservation({ name });
    if (gone > 0) {
      await it.bus.publish([shipmentCollected(tenant, "o1", { chai: gone }, "collected")]);
    }
    const resize = (quantity: bigint, revision: bigint, giveBackOnly = false) =>
      it.inventory.resizeReservation({ name, items: [{ sku: "chai", quantity }], revision, giveBackOnly });
    const stock = async () => {
      const { stockOnHand, stockReserved } = await it.inventory.getItem({ name: "items/chai" });
      return [stockOnHand, stockReserved];
    };
    return { it, resize, stock };
  };

  test("cancelled units are released once, and never those that have left", async () => {
    const { it: opened, resize, stock } = await start(3);
    await using it = opened;
    expect(await resize(4n, 7n, true)).toMatchObject({ state: State.COMMITTED, items: [{ quantity: 4n }] });
    expect(await resize(4n, 7n, true)).toMatchObject({ items: [{ quantity: 4n }] });
    expect(await stock()).toEqual([7n, 1n]);
    expect(await resize(1n, 8n, true)).toMatchObject({ state: State.CONSUMED, items: [{ quantity: 3n }] });
    expect(await stock()).toEqual([7n, 0n]);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("units shipped again are reserved once more, all or nothing, and a stale request has no effect", async () => {
    const { it: opened, resize, stock } = await start(5);
    await using it = opened;
    expect(await refusal(resize(11n, 2n))).toMatchObject({
      reason: "OUT_OF_STOCK",
      metadata: { sku: "chai", wanted: "6", available: "5" },
    });
    expect(await resize(9n, 2n, true)).toMatchObject({ state: State.CONSUMED });
    expect(await resize(9n, 3n)).toMatchObject({ state: State.COMMITTED, items: [{ quantity: 9n }] });
    expect(await resize(5n, 2n)).toMatchObject({ items: [{ quantity: 9n }] });
    expect(await stock()).toEqual([5n, 4n]);
    await it.bus.publish([shipmentCollected(tenant, "o1", { chai: 4 }, "again")]);
    expect((await it.inventory.getReservation({ name })).state).toBe(State.CONSUMED);
    expect(await stock()).toEqual([1n, 0n]);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("a released reservation stays released", async () => {
    const { it: opened, resize, stock } = await start(0);
    await using it = opened;
    await it.inventory.releaseReservation({ name });
    expect(await resize(5n, 9n)).toMatchObject({ state: State.RELEASED });
    expect(await stock()).toEqual([10n, 0n]);
  });

  test("returned units are available again, once, and the ledger names their shipment", async () => {
    const { it: opened, stock } = await start(5);
    await using it = opened;
    const shipment = "orders/o1/shipments/1";
    const lines = [
      { lineItemId: "1", sku: "chai", quantity: 2, quantityRestocked: 2 },
      { lineItemId: "2", sku: "chai", quantity: 3, quantityRestocked: 1 },
    ];
    const event = {
      id: "closed",
      type: ShipmentClosedSchema.typeName,
      source: "docket/logistics",
      aggregate: "orders/o1",
      sequence: 2,
      tenant,
      time: new Date(),
      data: toBinary(ShipmentClosedSchema, create(ShipmentClosedSchema, { shipment: { name: shipment, lines } })),
      extensions: {},
    };
    await it.bus.publish([event]);
    await it.bus.publish([event]);
    expect(await stock()).toEqual([8n, 0n]);
    const { movements } = await it.inventory.listStockMovements({ parent: "items/chai" });
    expect(movements.filter(({ type }) => type === StockMovementType.RESTOCK)).toMatchObject([
      { onHandDelta: 3n, reservedDelta: 0n, reason: shipment },
    ]);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });
});
