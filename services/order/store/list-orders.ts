import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import type { OrderTerm } from "../../runtime/api/order-by.ts";
import type { PageKey } from "../../runtime/api/page-token.ts";
import { afterRow, orderByKeys, type SortKey } from "../../runtime/db/keyset.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { Order } from "../domain/order.ts";
import type { OrderRow } from "./order-row.ts";
import { withLines } from "./orders.ts";

/** The fields that orders can be sorted by, with their columns. `id` makes every sort order total. */
const sortColumns = {
  create_time: { column: "orders.created_at", kind: "integer" },
  update_time: { column: "orders.updated_at", kind: "integer" },
  external_id: { column: "orders.external_id", kind: "text" },
  total: { column: "orders.total", kind: "integer" },
} as const;

export type OrderSortField = keyof typeof sortColumns;

export const orderSortFields = Object.keys(sortColumns) as readonly OrderSortField[];

/** A sort order, and how to continue after a given order. */
export interface OrderSort {
  readonly keys: readonly SortKey[];
  readonly kinds: readonly ("integer" | "text")[];
  /** The values of an order's sort keys. */
  keysOf(order: Order): PageKey[];
}

/**
 * The sort for these terms; the default is the newest first. The last term's direction also applies to the tiebreaker.
 */
export function orderSort(terms: readonly OrderTerm<OrderSortField>[]): OrderSort {
  const wanted = terms.length > 0 ? terms : [{ field: "create_time", direction: "desc" } as const];
  const tieBreaker = { sql: sql.ref("orders.id"), direction: wanted.at(-1)?.direction ?? "desc" };
  return {
    keys: [...wanted.map(({ field, direction }) => ({ sql: expressionOf(field), direction })), tieBreaker],
    kinds: [...wanted.map(({ field }) => sortColumns[field].kind), "text"],
    keysOf: (order) => [...wanted.map(({ field }) => sortValue(order, field)), order.id],
  };
}

export interface OrderListQuery {
  readonly tenant: string;
  readonly where: RawBuilder<SqlBool> | undefined;
  /** Only orders created then or before. */
  readonly createdUntil?: number;
  readonly sort: OrderSort;
  /** The sort keys of the order to continue after. */
  readonly after: readonly PageKey[] | undefined;
  readonly limit: number;
}

/** Reads one page of orders with their lines: two statements. */
export async function listOrders(
  db: Kysely<OrderDatabase>,
  { tenant, where, createdUntil, sort, after, limit }: OrderListQuery,
): Promise<Order[]> {
  let query = db.selectFrom("orders").selectAll().where("orders.tenant_id", "=", tenant);
  if (where !== undefined) {
    query = query.where(where);
  }
  if (createdUntil !== undefined) {
    query = query.where("orders.created_at", "<=", createdUntil);
  }
  if (after !== undefined) {
    query = query.where(afterRow(sort.keys, after));
  }
  const rows: OrderRow[] = await query.orderBy(orderByKeys(sort.keys)).limit(limit).execute();
  return withLines(db, tenant, rows);
}

/** Returns the given orders that match the condition now, in any order. Two statements. */
export async function findMatching(
  db: Kysely<OrderDatabase>,
  tenant: string,
  ids: readonly string[],
  where: RawBuilder<SqlBool> | undefined,
): Promise<Order[]> {
  const query = db
    .selectFrom("orders")
    .selectAll()
    .where("orders.tenant_id", "=", tenant)
    .where("orders.id", "in", ids);
  const rows: OrderRow[] = await (where === undefined ? query : query.where(where)).execute();
  return withLines(db, tenant, rows);
}

function expressionOf(field: OrderSortField) {
  const column = sql.ref(sortColumns[field].column);
  return field === "external_id" ? sql`coalesce(${column}, '')` : column;
}

function sortValue(order: Order, field: OrderSortField): PageKey {
  switch (field) {
    case "create_time":
      return order.createdAt;
    case "update_time":
      return order.updatedAt;
    case "external_id":
      return order.externalId;
    case "total":
      return order.total;
    default:
      return field satisfies never;
  }
}
