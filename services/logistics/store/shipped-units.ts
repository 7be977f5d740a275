import type { Kysely } from "kysely";
import type { LogisticsDatabase } from "../db/schema.ts";
import type { OrderKey } from "./order-shipping.ts";

type Db = Kysely<LogisticsDatabase>;

/** Returns an order's units in closed shipments, by SKU. */
export async function closedUnitsOfOrder(
  db: Db,
  { tenant, orderId }: OrderKey,
): Promise<{ sku: string; quantity: bigint }[]> {
  const rows = await db
    .selectFrom("shipments as s")
    .innerJoin("shipment_lines as l", (join) =>
      join.onRef("l.tenant_id", "=", "s.tenant_id").onRef("l.shipment_id", "=", "s.id"),
    )
    .select(["l.sku as sku", "l.quantity as quantity"])
    .where("s.tenant_id", "=", tenant)
    .where("s.order_id", "=", orderId)
    .where("s.closed_at", "is not", null)
    .execute();
  const units = new Map<string, bigint>();
  for (const { sku, quantity } of rows) {
    units.set(sku, (units.get(sku) ?? 0n) + BigInt(quantity));
  }
  return [...units].map(([sku, quantity]) => ({ sku, quantity }));
}
