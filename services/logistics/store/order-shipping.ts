import type { Kysely, Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore } from "../../runtime/db/sql.ts";
import type { LogisticsDatabase } from "../db/schema.ts";

type Trx = Transaction<LogisticsDatabase>;

/** Identifies an order. */
export interface OrderKey {
  readonly tenant: string;
  readonly orderId: string;
}

/** Shipping status of an order locked by the transaction. */
export interface LockedOrder {
  /** The order is cancelled; no further shipments can be created. */
  readonly closed: boolean;
  /** See {@link raiseFence}. */
  readonly fence: number;
}

/** Locks the order's row until the transaction ends, inserting it if absent. */
export async function lockOrder(trx: Trx, dialect: DialectName, key: OrderKey): Promise<LockedOrder> {
  const query = forUpdate(dialect, orderQuery(trx, key));
  const found = await query.executeTakeFirst();
  if (found) {
    return { closed: found.closed_at !== null, fence: found.fence };
  }
  await insertIgnore(trx, "order_shipping", {
    tenant_id: key.tenant,
    order_id: key.orderId,
    closed_at: null,
    fence: 0,
  });
  const row = await query.executeTakeFirst();
  return { closed: row?.closed_at != null, fence: row?.fence ?? 0 };
}

/** Reads the order's current fence without a lock. */
export async function readFence(db: Kysely<LogisticsDatabase>, key: OrderKey): Promise<number> {
  return (await orderQuery(db, key).executeTakeFirst())?.fence ?? 0;
}

/** Increments the fence of a locked order. Rejects every CreateShipment that has read the previous value. */
export async function raiseFence(trx: Trx, { tenant, orderId }: OrderKey, { fence }: LockedOrder): Promise<void> {
  await trx
    .updateTable("order_shipping")
    .set({ fence: fence + 1 })
    .where("tenant_id", "=", tenant)
    .where("order_id", "=", orderId)
    .execute();
}

function orderQuery(db: Kysely<LogisticsDatabase>, { tenant, orderId }: OrderKey) {
  return db
    .selectFrom("order_shipping")
    .select(["closed_at", "fence"])
    .where("tenant_id", "=", tenant)
    .where("order_id", "=", orderId);
}

/** Closes a locked order, or reopens it with `undefined`. */
export async function setOrderClosed(
  trx: Trx,
  { tenant, orderId }: OrderKey,
  closedAt: number | undefined,
): Promise<void> {
  await trx
    .updateTable("order_shipping")
    .set({ closed_at: closedAt ?? null })
    .where("tenant_id", "=", tenant)
    .where("order_id", "=", orderId)
    .execute();
}
