import type { Kysely } from "kysely";
import type { Batch } from "../../runtime/commands/command.ts";
import type { LogisticsDatabase } from "../db/schema.ts";
import { type OrderShipping, orderShipping } from "./mappings.ts";

/** Identifies an order. */
export interface OrderKey {
  readonly tenant: string;
  readonly orderId: string;
}

/**
 * Returns the shipping status of an order that the command has named. Inserts it if absent: two processes that decide
 * on the same order for the first time then meet at its key.
 */
export function shippingOf(batch: Batch, { tenant, orderId }: OrderKey): OrderShipping {
  const found = batch.get(orderShipping, [tenant, orderId]);
  if (found !== undefined) {
    return found;
  }
  const created = { tenant, orderId, closedAt: undefined, fence: 0 };
  batch.insert(orderShipping, created);
  return created;
}

/** Increments the fence of an order. Rejects every CreateShipment that has read the previous value. */
export function raiseFence(batch: Batch, key: OrderKey): void {
  const order = shippingOf(batch, key);
  batch.update(orderShipping, { ...order, fence: order.fence + 1 });
}

/** Reads the order's current fence without a lock. */
export async function readFence(db: Kysely<LogisticsDatabase>, { tenant, orderId }: OrderKey): Promise<number> {
  const row = await db
    .selectFrom("order_shipping")
    .select("fence")
    .where("tenant_id", "=", tenant)
    .where("order_id", "=", orderId)
    .executeTakeFirst();
  return row?.fence ?? 0;
}
