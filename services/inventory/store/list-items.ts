import { type Kysely, sql } from "kysely";
import type { OrderTerm } from "../../runtime/api/order-by.ts";
import type { PageKey, PageKeyKind } from "../../runtime/api/page-token.ts";
import type { DialectName } from "../../runtime/db/connect.ts";
import { compileFilter, type SqlFilterField } from "../../runtime/db/filter-sql.ts";
import { afterRow, orderByKeys, type SortKey } from "../../runtime/db/keyset.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import type { StoredItem } from "../domain/item.ts";
import { toItem } from "./item-rows.ts";

const filterFields = {
  sku: { type: "string", sql: sql.ref("sku") },
  title: { type: "string", sql: sql.ref("title") },
  discontinued: { type: "bool", sql: sql.ref("discontinued") },
  stock_on_hand: { type: "int", sql: sql.ref("stock_on_hand") },
  stock_reserved: { type: "int", sql: sql.ref("stock_reserved") },
  stock_available: { type: "int", sql: sql`(stock_on_hand - stock_reserved)` },
  create_time: { type: "timestamp", sql: sql.ref("created_at") },
  update_time: { type: "timestamp", sql: sql.ref("updated_at") },
} satisfies Record<string, SqlFilterField>;

/** What items can be sorted by. */
export const itemSortFields = ["sku", "title", "create_time", "update_time"] as const;
export type ItemOrder = readonly OrderTerm<(typeof itemSortFields)[number]>[];

const sorting = {
  sku: { column: "sku", kind: "text", of: (item: StoredItem) => item.sku },
  title: { column: "title", kind: "text", of: (item: StoredItem) => item.title },
  create_time: { column: "created_at", kind: "integer", of: (item: StoredItem) => item.createdAt },
  update_time: { column: "updated_at", kind: "integer", of: (item: StoredItem) => item.updatedAt },
} satisfies Record<ItemOrder[number]["field"], { column: string; kind: PageKeyKind; of(item: StoredItem): PageKey }>;

/** The order with the SKU at its end, so that it is one: every item has its place. */
export function completeOrder(order: ItemOrder): ItemOrder {
  const end = order.findIndex(({ field }) => field === "sku");
  return end < 0 ? [...order, { field: "sku", direction: order.at(-1)?.direction ?? "asc" }] : order.slice(0, end + 1);
}

/** The types of an item's page keys in a complete order. */
export function itemPageKinds(order: ItemOrder): PageKeyKind[] {
  return order.map(({ field }) => sorting[field].kind);
}

/** An item's place in a complete order. */
export function itemPageKeys(order: ItemOrder, item: StoredItem): PageKey[] {
  return order.map(({ field }) => sorting[field].of(item));
}

export interface ItemPage {
  readonly filter: string;
  readonly order: ItemOrder;
  /** The place of the last item of the page before, as `itemPageKeys` gives it. */
  readonly after: readonly PageKey[] | undefined;
  readonly limit: number;
}

/** The items after a place in a complete order. Throws INVALID_ARGUMENT for a filter that is wrong. */
export async function listItemsAfter(
  db: Kysely<InventoryDatabase>,
  dialect: DialectName,
  tenant: string,
  page: ItemPage,
): Promise<StoredItem[]> {
  return (await itemsAfterQuery(db, dialect, tenant, page).execute()).map(toItem);
}

/** Its query, for looking at its plan. */
export function itemsAfterQuery(db: Kysely<InventoryDatabase>, dialect: DialectName, tenant: string, page: ItemPage) {
  const keys = page.order.map(({ field, direction }): SortKey => ({ sql: sql.ref(sorting[field].column), direction }));
  const where = compileFilter(page.filter, filterFields, dialect);
  let query = db.selectFrom("items").selectAll().where("tenant_id", "=", tenant);
  if (where) {
    query = query.where(where);
  }
  if (page.after) {
    query = query.where(afterRow(keys, page.after));
  }
  return query.orderBy(orderByKeys(keys)).limit(page.limit);
}
