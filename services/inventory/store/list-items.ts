import { type Kysely, sql } from "kysely";
import { type List, type ListKey, type ListPage, selectPage } from "../../runtime/api/list.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import type { StoredItem } from "../domain/item.ts";
import { toItem } from "./item-rows.ts";

const sku: ListKey<StoredItem> = { sql: sql.ref("sku"), kind: "text", of: (item) => item.sku };

/** ListItems: by SKU, unless sorted otherwise. */
export const itemList: List<StoredItem> = {
  method: "ListItems",
  filter: {
    sku: { type: "string", sql: sql.ref("sku") },
    title: { type: "string", sql: sql.ref("title") },
    discontinued: { type: "bool", sql: sql.ref("discontinued") },
    stock_on_hand: { type: "int", sql: sql.ref("stock_on_hand") },
    stock_reserved: { type: "int", sql: sql.ref("stock_reserved") },
    stock_available: { type: "int", sql: sql`(stock_on_hand - stock_reserved)` },
    create_time: { type: "timestamp", sql: sql.ref("created_at") },
    update_time: { type: "timestamp", sql: sql.ref("updated_at") },
  },
  sort: {
    sku,
    title: { sql: sql.ref("title"), kind: "text", of: (item) => item.title },
    create_time: { sql: sql.ref("created_at"), kind: "integer", of: (item) => item.createdAt },
    update_time: { sql: sql.ref("updated_at"), kind: "integer", of: (item) => item.updatedAt },
  },
  unique: sku,
  order: { direction: "asc" },
  bytesOf: ({ title, prices }) => 400 + title.length + prices.length * 80,
};

/** Reads a page of a tenant's items. */
export async function listItems(db: Kysely<InventoryDatabase>, tenant: string, page: ListPage): Promise<StoredItem[]> {
  return (await itemsQuery(db, tenant, page).execute()).map(toItem);
}

/** The list query, exported for tests of its execution plan. */
export function itemsQuery(db: Kysely<InventoryDatabase>, tenant: string, page: ListPage) {
  return selectPage(db.selectFrom("items").selectAll().where("tenant_id", "=", tenant), page);
}
