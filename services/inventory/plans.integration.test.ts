import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import type { Database } from "../runtime/db/connect.ts";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { planOf } from "../runtime/testing/query-plan.ts";
import type { InventoryDatabase } from "./db/schema.ts";
import { type ItemOrder, itemsAfterQuery } from "./store/list-items.ts";
import { reservationsAfterQuery } from "./store/list-reservations.ts";
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
    const orders: [ItemOrder, (string | number)[]][] = [
      [[{ field: "sku", direction: "asc" }], ["sku-3"]],
      [
        [
          { field: "title", direction: "asc" },
          { field: "sku", direction: "asc" },
        ],
        ["title 5", "sku-3"],
      ],
      [
        [
          { field: "create_time", direction: "desc" },
          { field: "sku", direction: "desc" },
        ],
        [300, "sku-3"],
      ],
      [
        [
          { field: "update_time", direction: "desc" },
          { field: "sku", direction: "desc" },
        ],
        [300, "sku-3"],
      ],
    ];
    for (const [order, after] of orders) {
      const page = { filter: "", order, limit: 20 };
      for (const at of [undefined, after]) {
        const plan = await planOf(it.db, itemsAfterQuery(kysely, dialect, tenant, { ...page, after: at }));
        expect([order, plan]).toEqual([order, { fullScans: [], sorts: false }]);
      }
    }
    for (const after of [undefined, [300, "r-300"]]) {
      const query = reservationsAfterQuery(kysely, dialect, tenant, { filter: "", after, limit: 20 });
      expect(await planOf(it.db, query)).toEqual({ fullScans: [], sorts: false });
    }
    expect(await planOf(it.db, overdueQuery(kysely, dialect, 20))).toEqual({ fullScans: [], sorts: false });
  });
});
