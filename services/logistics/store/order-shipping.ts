import type { Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore } from "../../runtime/db/sql.ts";
import type { LogisticsDatabase } from "../db/schema.ts";

type Trx = Transaction<LogisticsDatabase>;

/** Which order. */
export interface OrderKey {
  readonly tenant: string;
  readonly orderId: string;
}

/** Takes the order's lock until the transaction ends, making its row where there is none, and tells whether it is closed. */
export async function lockOrder(
  trx: Trx,
  dialect: DialectName,
  { tenant, orderId }: OrderKey,
): Promise<{ closed: boolean }> {
  const query = forUpdate(
    dialect,
    trx
      .selectFrom("order_shipping")
      .select("closed_at")
      .where("tenant_id", "=", tenant)
      .where("order_id", "=", orderId),
  );
  const found = await query.executeTakeFirst();
  if (found) {
    return { closed: found.closed_at !== null };
  }
  await insertIgnore(trx, "order_shipping", { tenant_id: tenant, order_id: orderId, closed_at: null });
  const row = await query.executeTakeFirst();
  return { closed: row?.closed_at != null };
}

/** Closes an order whose lock the transaction has, or opens it again with `undefined`. */
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
