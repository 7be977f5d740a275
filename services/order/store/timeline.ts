import { type Kysely, sql } from "kysely";
import { type List, type ListPage, orderOf, selectPage } from "../../runtime/api/list.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { TimelineEntry } from "../domain/order.ts";
import type { OrderKey } from "./change-order.ts";
import { fromEventRow } from "./order-row.ts";

/** ListOrderEvents: oldest first. */
export const timelineList: List<TimelineEntry> = {
  method: "ListOrderEvents",
  unique: { sql: sql.ref("sequence"), kind: "integer", of: ({ sequence }) => sequence },
  order: { direction: "asc" },
  bytesOf: ({ message, metadata }) => 300 + message.length + JSON.stringify(metadata).length,
  defaultSize: 100,
  firstRead: 101,
};

/** Reads a page of an order's timeline. */
export async function listTimeline(
  db: Kysely<OrderDatabase>,
  { tenant, id }: OrderKey,
  page: ListPage,
): Promise<TimelineEntry[]> {
  const query = db.selectFrom("order_events").selectAll().where("tenant_id", "=", tenant).where("order_id", "=", id);
  return (await selectPage(query, page).execute()).map(fromEventRow);
}

/** Reads the first entries of an order's timeline. */
export function readTimeline(db: Kysely<OrderDatabase>, key: OrderKey, limit: number): Promise<TimelineEntry[]> {
  return listTimeline(db, key, { where: undefined, keys: orderOf(timelineList, []).keys, after: undefined, limit });
}

export async function orderExists(db: Kysely<OrderDatabase>, { tenant, id }: OrderKey): Promise<boolean> {
  const row = await db
    .selectFrom("orders")
    .select("id")
    .where("tenant_id", "=", tenant)
    .where("id", "=", id)
    .executeTakeFirst();
  return row !== undefined;
}
