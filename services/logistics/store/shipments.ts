import type { Kysely, Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate } from "../../runtime/db/sql.ts";
import type { LogisticsDatabase } from "../db/schema.ts";
import type { StoredShipment } from "../domain/shipment.ts";
import type { OrderKey } from "./order-shipping.ts";
import { toShipments } from "./shipment-rows.ts";

type Db = Kysely<LogisticsDatabase>;
type Trx = Transaction<LogisticsDatabase>;

/** Identifies a shipment by its resource name. */
export interface ShipmentKey extends OrderKey {
  readonly number: string;
}

export async function findShipment(
  db: Db,
  { tenant, orderId, number }: ShipmentKey,
): Promise<StoredShipment | undefined> {
  const rows = await db
    .selectFrom("shipments")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("order_id", "=", orderId)
    .where("number", "=", number)
    .execute();
  const [shipment] = await toShipments(db, rows);
  return shipment;
}

export async function findShipmentById(db: Db, id: string): Promise<StoredShipment | undefined> {
  const [shipment] = await toShipments(db, await db.selectFrom("shipments").selectAll().where("id", "=", id).execute());
  return shipment;
}

/** Returns the shipment, locked until the transaction ends. */
export async function lockShipment(trx: Trx, dialect: DialectName, id: string): Promise<StoredShipment | undefined> {
  const query = forUpdate(dialect, trx.selectFrom("shipments").selectAll().where("id", "=", id));
  const [shipment] = await toShipments(trx, await query.execute());
  return shipment;
}

/** Returns all shipments of an order, oldest first. */
export async function shipmentsOfOrder(db: Db, { tenant, orderId }: OrderKey): Promise<StoredShipment[]> {
  const rows = await db
    .selectFrom("shipments")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("order_id", "=", orderId)
    .orderBy("id")
    .execute();
  return toShipments(db, rows);
}
