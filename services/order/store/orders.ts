import { type Kysely, type Selectable, sql } from "kysely";
import type { OrderDatabase, OrderLinesTable } from "../db/schema.ts";
import type { Order } from "../domain/order.ts";
import { fromOrderRow, type OrderRow } from "./order-row.ts";

type Reader = Kysely<OrderDatabase>;

/** Finds the tenant's orders with these ids, in any order. Two statements. */
export async function findOrders(db: Reader, tenant: string, ids: readonly string[]): Promise<Order[]> {
  const rows = await db
    .selectFrom("orders")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("id", "in", ids)
    .execute();
  return withLines(db, tenant, rows);
}

/** Maximum lines of an order. */
const MAX_LINES = 500;
/** Up to this many orders cannot exceed the lines of a response. */
const UNCOUNTED_ORDERS = 10;

/**
 * Counts the lines of the orders together; an order that is named twice counts twice. Up to ten orders are not counted:
 * their upper bound is returned, without a statement.
 */
export async function countLines(db: Reader, tenant: string, ids: readonly string[]): Promise<number> {
  if (ids.length <= UNCOUNTED_ORDERS) {
    return ids.length * MAX_LINES;
  }
  const rows = await db
    .selectFrom("order_lines")
    .select(["order_id", sql<number>`count(*)`.as("lines")])
    .where("tenant_id", "=", tenant)
    .where("order_id", "in", [...new Set(ids)])
    .groupBy("order_id")
    .execute();
  const lines = new Map(rows.map((row) => [row.order_id, row.lines]));
  return ids.reduce((sum, id) => sum + (lines.get(id) ?? 0), 0);
}

/** Finds the tenant's orders with these external_ids. Two statements. */
export async function findOrdersByExternalId(
  db: Reader,
  tenant: string,
  externalIds: readonly string[],
): Promise<Order[]> {
  const rows = await db
    .selectFrom("orders")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("external_id", "in", externalIds)
    .execute();
  return withLines(db, tenant, rows);
}

/**
 * Converts rows of one tenant to orders with their lines, in the order of the rows. One statement, none for no rows.
 */
export async function withLines(db: Reader, tenant: string, rows: readonly OrderRow[]): Promise<Order[]> {
  if (rows.length === 0) {
    return [];
  }
  const lines = await db
    .selectFrom("order_lines")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where(
      "order_id",
      "in",
      rows.map((row) => row.id),
    )
    .orderBy("order_id")
    .orderBy("line_number")
    .execute();
  const byOrder = new Map<string, Selectable<OrderLinesTable>[]>();
  for (const line of lines) {
    const orderLines = byOrder.get(line.order_id);
    if (orderLines === undefined) {
      byOrder.set(line.order_id, [line]);
    } else {
      orderLines.push(line);
    }
  }
  return rows.map((row) => fromOrderRow(row, byOrder.get(row.id) ?? []));
}
