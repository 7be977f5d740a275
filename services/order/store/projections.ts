import type { Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { upsert } from "../../runtime/db/sql.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { Parcel } from "../domain/parcels.ts";
import type { Funds } from "../domain/payment-state.ts";

/** An order's key within the database. */
export interface OrderKey {
  readonly tenant: string;
  readonly id: string;
}

/** State of one payment, as published by the payment service. */
export interface PaymentProjection extends Funds {
  readonly id: string;
  /** Events of one order have ascending sequences. */
  readonly sequence: number;
}

/**
 * Stores a payment's state, unless a later event was applied already, and returns the sums over all payments of the
 * order. The order must be locked. Two statements.
 */
export async function upsertPaymentProjection(
  trx: Transaction<OrderDatabase>,
  dialect: DialectName,
  key: OrderKey,
  projection: PaymentProjection,
): Promise<Funds> {
  const rows = await trx
    .selectFrom("order_payments")
    .selectAll()
    .where("tenant_id", "=", key.tenant)
    .where("order_id", "=", key.id)
    .execute();
  const known = rows.find((row) => row.payment_id === projection.id);
  const others = rows.filter((row) => row !== known);
  if (known !== undefined && known.event_sequence >= projection.sequence) {
    return sum(rows);
  }
  const { authorized, captured, refunded } = projection;
  const row = { payment_id: projection.id, event_sequence: projection.sequence, authorized, captured, refunded };
  const insert = trx.insertInto("order_payments").values({ tenant_id: key.tenant, order_id: key.id, ...row });
  await upsert(dialect, insert, {
    key: ["tenant_id", "order_id", "payment_id"],
    update: ["event_sequence", "authorized", "captured", "refunded"],
  }).execute();
  return sum([...others, row]);
}

/** State of one shipment, as published by the logistics service. */
export interface ShipmentProjection extends Parcel {
  readonly sequence: number;
}

/**
 * Stores a shipment's state, unless a later event was applied already, and returns all shipments of the order. The
 * order must be locked. Two statements.
 */
export async function upsertShipmentProjection(
  trx: Transaction<OrderDatabase>,
  dialect: DialectName,
  key: OrderKey,
  projection: ShipmentProjection,
): Promise<Parcel[]> {
  const rows = await trx
    .selectFrom("order_shipments")
    .selectAll()
    .where("tenant_id", "=", key.tenant)
    .where("order_id", "=", key.id)
    .execute();
  const parcels = rows.map(
    (row): ShipmentProjection => ({
      id: row.shipment_id,
      sequence: row.event_sequence,
      over: row.cancelled === 1,
      delivered: row.delivered === 1,
      lines: JSON.parse(row.lines) as Parcel["lines"],
    }),
  );
  const known = parcels.find((parcel) => parcel.id === projection.id);
  if (known !== undefined && known.sequence >= projection.sequence) {
    return parcels;
  }
  const insert = trx.insertInto("order_shipments").values({
    tenant_id: key.tenant,
    order_id: key.id,
    shipment_id: projection.id,
    event_sequence: projection.sequence,
    cancelled: projection.over ? 1 : 0,
    delivered: projection.delivered ? 1 : 0,
    lines: JSON.stringify(projection.lines),
  });
  await upsert(dialect, insert, {
    key: ["tenant_id", "order_id", "shipment_id"],
    update: ["event_sequence", "cancelled", "delivered", "lines"],
  }).execute();
  return [...parcels.filter((parcel) => parcel !== known), projection];
}

type Amounts = Readonly<Record<keyof Funds, number | bigint>>;

function sum(rows: readonly Amounts[]): Funds {
  const total = (field: keyof Funds) => rows.reduce((before, row) => before + BigInt(row[field]), 0n);
  return { authorized: total("authorized"), captured: total("captured"), refunded: total("refunded") };
}
