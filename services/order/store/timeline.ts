import type { Kysely } from "kysely";
import type { OrderDatabase } from "../db/schema.ts";
import type { TimelineEntry } from "../domain/order.ts";
import { fromEventRow } from "./order-row.ts";
import type { OrderKey } from "./projections.ts";

/** Reads the entries after a sequence, the oldest first. */
export async function readTimeline(
  db: Kysely<OrderDatabase>,
  { tenant, id }: OrderKey,
  after: number,
  limit: number,
): Promise<TimelineEntry[]> {
  const rows = await db
    .selectFrom("order_events")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("order_id", "=", id)
    .where("sequence", ">", after)
    .orderBy("sequence")
    .limit(limit)
    .execute();
  return rows.map(fromEventRow);
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
