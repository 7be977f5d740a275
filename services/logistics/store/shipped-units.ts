import type { Kysely, Transaction } from "kysely";
import type { LogisticsDatabase } from "../db/schema.ts";
import type { WantedLine } from "../domain/lines-to-ship.ts";
import type { ShippedLine, StoredShipment } from "../domain/shipment.ts";
import type { OrderKey } from "./order-shipping.ts";

type Db = Kysely<LogisticsDatabase>;
type Trx = Transaction<LogisticsDatabase>;

/** Returns an order's units in shipments that are neither cancelled nor closed, by line. */
export async function shippedOfOrder(trx: Trx, { tenant, orderId }: OrderKey): Promise<WantedLine[]> {
  const rows = await trx
    .selectFrom("shipments as s")
    .innerJoin("shipment_lines as l", (join) =>
      join.onRef("l.tenant_id", "=", "s.tenant_id").onRef("l.shipment_id", "=", "s.id"),
    )
    .select(["l.line_item_id as lineItemId", "l.quantity as quantity"])
    .where("s.tenant_id", "=", tenant)
    .where("s.order_id", "=", orderId)
    .where("s.state", "!=", "CANCELLED")
    .where("s.closed_at", "is", null)
    .execute();
  return rows;
}

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

/** Records the restocked units of a locked shipment by line. Returns its updated lines. */
export async function setRestocked(
  trx: Trx,
  { tenant, id, lines }: StoredShipment,
  restocked: ReadonlyMap<string, number>,
): Promise<readonly ShippedLine[]> {
  for (const [lineItemId, units] of restocked) {
    await trx
      .updateTable("shipment_lines")
      .set({ restocked: units })
      .where("tenant_id", "=", tenant)
      .where("shipment_id", "=", id)
      .where("line_item_id", "=", lineItemId)
      .execute();
  }
  return lines.map((line) => ({ ...line, restocked: restocked.get(line.lineItemId) ?? 0 }));
}
