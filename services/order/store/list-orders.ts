import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import { type List, type ListPage, selectPage } from "../../runtime/api/list.ts";
import { LINE_BYTES } from "../../runtime/api/read-page.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { Order } from "../domain/order.ts";
import { orderFilterFields } from "./order-filter.ts";
import type { OrderRow } from "./order-row.ts";
import { withLines } from "./orders.ts";

const created = { sql: sql.ref("orders.created_at"), kind: "integer", of: (order: Order) => order.createdAt } as const;

/** ListOrders: newest first, unless sorted otherwise. */
export const orderList: List<Order> = {
  method: "ListOrders",
  filter: orderFilterFields,
  sort: {
    create_time: created,
    update_time: { sql: sql.ref("orders.updated_at"), kind: "integer", of: (order) => order.updatedAt },
    external_id: {
      sql: sql`coalesce(${sql.ref("orders.external_id")}, '')`,
      kind: "text",
      of: (order) => order.externalId,
    },
    total: { sql: sql.ref("orders.total"), kind: "integer", of: (order) => order.total },
  },
  unique: { sql: sql.ref("orders.id"), kind: "text", of: ({ id }) => id },
  order: { by: [created], direction: "desc" },
  bytesOf: ({ note, lines, shortages, labels }) =>
    Object.entries(labels).reduce(
      (bytes, [key, value]) => bytes + key.length + value.length,
      700 + note.length + (lines.length + shortages.length) * LINE_BYTES,
    ),
};

/** Whose orders to list. */
export interface OrderScope {
  readonly tenant: string;
  /** Only orders created then or before. */
  readonly createdUntil?: number;
}

/** Reads one page of orders with their lines: two statements. */
export async function listOrders(
  db: Kysely<OrderDatabase>,
  { tenant, createdUntil }: OrderScope,
  page: ListPage,
): Promise<Order[]> {
  const all = db.selectFrom("orders").selectAll().where("orders.tenant_id", "=", tenant);
  const query = createdUntil === undefined ? all : all.where("orders.created_at", "<=", createdUntil);
  const rows: OrderRow[] = await selectPage(query, page).execute();
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
