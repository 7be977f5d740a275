import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { orderOf } from "../runtime/api/list.ts";
import { parseOrderBy } from "../runtime/api/order-by.ts";
import type { Database } from "../runtime/db/connect.ts";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { planOf } from "../runtime/testing/query-plan.ts";
import type { InventoryDatabase } from "./db/schema.ts";
import { itemList, itemsQuery } from "./store/list-items.ts";
import { reservationList, reservationsQuery } from "./store/list-reservations.ts";
import { overdueQuery } from "./store/reservations.ts";
import { startInventory, tenant } from "./testing/inventory.ts";

const ROWS = 600;

async function fill(db: Database<InventoryDatabase>) {
  const rows = Array.from({ length: ROWS }, (_, i) => i);
  await db.kysely
    .insertInto("items")
    .values(
      rows.map((i) => ({
        tenant_id: i % 2 === 0 ? tenant : "tenant-b",
        sku: `sku-${i}`,
        title: `title ${i % 97}`,
        prices: "{}",
        discontinued: 0,
        stock_on_hand: i,
        stock_reserved: 0,
        created_at: i,
        updated_at: i,
        version: 1,
      })),
    )
    .execute();
  await db.kysely
    .insertInto("reservations")
    .values(
      rows.map((i) => ({
        tenant_id: i % 2 === 0 ? tenant : "tenant-b",
        id: `r-${i}`,
        order_name: `orders/o-${i}`,
        state: i % 50 === 0 ? ("HELD" as const) : ("CONSUMED" as const),
        expires_at: i % 50 === 0 ? i : null,
        revision: 0,
        created_at: i,
        updated_at: i,
      })),
    )
    .execute();
  if (db.dialect === "mysql") {
    await sql`analyze table items, reservations`.execute(db.kysely);
  }
}

describeEachDatabase("the inventory's queries cost the same however many rows there are", (open) => {
  test("pages of items in every order, pages of reservations and overdue reservations are read from an index", async () => {
    await using it = await startInventory(open);
    await fill(it.db);
    const { kysely, dialect } = it.db;
    const orders: [string, (string | number)[]][] = [
      ["", ["sku-3"]],
      ["title", ["title 5", "sku-3"]],
      ["create_time desc", [300, "sku-3"]],
      ["update_time desc", [300, "sku-3"]],
    ];
    for (const [orderBy, after] of orders) {
      const { keys } = orderOf(itemList, parseOrderBy(orderBy, Object.keys(itemList.sort ?? {})));
      for (const at of [undefined, after]) {
        const page = { where: undefined, keys, after: at, limit: 20 };
        const plan = await planOf(it.db, itemsQuery(kysely, tenant, page));
        expect([orderBy, plan]).toEqual([orderBy, { fullScans: [], sorts: false }]);
      }
    }
    for (const after of [undefined, [300, "r-300"]]) {
      const page = { where: undefined, keys: orderOf(reservationList, []).keys, after, limit: 20 };
      expect(await planOf(it.db, reservationsQuery(kysely, tenant, page))).toEqual({ fullScans: [], sorts: false });
    }
    expect(await planOf(it.db, overdueQuery(kysely, dialect, 20))).toEqual({ fullScans: [], sorts: false });
  });
});
