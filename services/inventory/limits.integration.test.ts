import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { longTtl, startInventory } from "./testing/inventory.ts";

describeEachDatabase("the inventory service at its documented limits", (open) => {
  test("upserts, reads, lists, holds and gives back 1,000 items in one call each", async () => {
    await using world = await startInventory(open);
    const { inventory } = world;
    const skus = Array.from({ length: 1000 }, (_, i) => `${"s".repeat(59)}${String(i).padStart(4, "0")}`);
    const items = skus.map((sku) => ({ sku, title: "ü".repeat(255), stockOnHand: 5n }));
    const upserted = await inventory.batchUpsertItems({ items });
    expect(upserted.items.map(({ sku }) => sku)).toEqual(skus);
    const again = await inventory.batchUpsertItems({ items: items.map((item) => ({ ...item, title: "other" })) });
    expect(again.items).toHaveLength(1000);
    expect((await inventory.batchGetItems({ skus })).items).toHaveLength(1000);
    expect((await inventory.listItems({ pageSize: 1000 })).items).toHaveLength(1000);

    const name = "reservations/r1";
    const lines = skus.map((sku) => ({ sku, quantity: 1n }));
    const held = await inventory.reserveStock({ name, order: "orders/o1", items: lines, ttl: longTtl });
    expect(held.items).toHaveLength(1000);
    await inventory.releaseReservation({ name });
    const [first] = (await inventory.batchGetItems({ skus: skus.slice(0, 1) })).items;
    expect(first?.stockReserved).toBe(0n);
  });
});
