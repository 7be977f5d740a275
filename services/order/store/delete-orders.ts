import { type Kysely, type SqlBool, sql, type Transaction } from "kysely";
import type { OrderDatabase } from "../db/schema.ts";
import { endStates } from "../domain/anonymize.ts";
import type { OrderKey } from "./change-order.ts";

/** The id of the saga that deletes an order. It sorts with the order's id. */
export function deletionSagaId(orderId: string): string {
  return `${orderId}-delete`;
}

/**
 * Orders created and ended before a time, tenant by tenant, the oldest first, without those whose deletion has started.
 */
export async function findExpiredOrders(
  db: Kysely<OrderDatabase>,
  { before, limit }: { readonly before: number; readonly limit: number },
): Promise<OrderKey[]> {
  const expired: OrderKey[] = [];
  const tenants = await db.selectFrom("order_feed_heads").select("tenant_id").orderBy("tenant_id").execute();
  for (const { tenant_id: tenant } of tenants) {
    for (const state of endStates) {
      if (expired.length < limit) {
        const rows = await db
          .selectFrom("orders")
          .select("id")
          .where("tenant_id", "=", tenant)
          .where("state", "=", state)
          .where("created_at", "<", before)
          .where("updated_at", "<", before)
          .where("late_saga_id", "is", null)
          .where("lines_saga_id", "is", null)
          .where(sql<SqlBool>`not exists (select 1 from sagas where sagas.id = orders.id || ${deletionSagaId("")})`)
          .orderBy("created_at")
          .orderBy("id")
          .limit(limit - expired.length)
          .execute();
        expired.push(...rows.map(({ id }) => ({ tenant, id })));
      }
    }
  }
  return expired;
}

/** Deletes an order with its lines, its timeline and its payment and shipment projections. Idempotent. */
export async function deleteOrder(trx: Transaction<OrderDatabase>, { tenant, id }: OrderKey): Promise<void> {
  // First the row that commands lock.
  await trx.deleteFrom("orders").where("tenant_id", "=", tenant).where("id", "=", id).execute();
  for (const table of ["order_lines", "order_events", "order_payments", "order_shipments"] as const) {
    await trx.deleteFrom(table).where("tenant_id", "=", tenant).where("order_id", "=", id).execute();
  }
}
