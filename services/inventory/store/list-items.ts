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

/** Fields by which items can be sorted. */
export const itemSortFields = ["sku", "title", "create_time", "update_time"] as const;
export type ItemOrder = readonly OrderTerm<(typeof itemSortFields)[number]>[];

const sorting = {
  sku: { column: "sku", kind: "text", of: (item: StoredItem) => item.sku },
  title: { column: "title", kind: "text", of: (item: StoredItem) => item.title },
  create_time: { column: "created_at", kind: "integer", of: (item: StoredItem) => item.createdAt },
  update_time: { column: "updated_at", kind: "integer", of: (item: StoredItem) => item.updatedAt },
} satisfies Record<ItemOrder[number]["field"], { column: string; kind: PageKeyKind; of(item: StoredItem): PageKey }>;

/** Appends the SKU to a sort order as tie-breaker, which makes the order total. */
export function completeOrder(order: ItemOrder): ItemOrder {
  const end = order.findIndex(({ field }) => field === "sku");
  return end < 0 ? [...order, { field: "sku", direction: order.at(-1)?.direction ?? "asc" }] : order.slice(0, end + 1);
}

/** Returns the types of an item's page keys in a total order. */
export function itemPageKinds(order: ItemOrder): PageKeyKind[] {
  return order.map(({ field }) => sorting[field].kind);
}

/** Returns an item's keyset page keys in a total order. */
export function itemPageKeys(order: ItemOrder, item: StoredItem): PageKey[] {
  return order.map(({ field }) => sorting[field].of(item));
}

export interface ItemPage {
  readonly filter: string;
  readonly order: ItemOrder;
  /** Page keys of the previous page's last item, from `itemPageKeys`. */
  readonly after: readonly PageKey[] | undefined;
  readonly limit: number;
}

/** Lists the items after a page key in a total order. Throws INVALID_ARGUMENT on an invalid filter. */
export async function listItemsAfter(
  db: Kysely<InventoryDatabase>,
  dialect: DialectName,
  tenant: string,
  page: ItemPage,
): Promise<StoredItem[]> {
  return (await itemsAfterQuery(db, dialect, tenant, page).execute()).map(toItem);
}

/** The list query, exported for tests of its execution plan. */
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
