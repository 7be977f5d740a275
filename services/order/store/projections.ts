import type { Batch, KeySet } from "../../runtime/commands/command.ts";
import type { Parcel } from "../domain/parcels.ts";
import type { Funds } from "../domain/payment-state.ts";
import type { OrderKey } from "./change-order.ts";
import { paymentProjections, shipmentProjections } from "./mappings.ts";

/** State of one payment, as published by the payment service. */
export interface PaymentProjection extends Funds {
  readonly id: string;
  /** Events of one order have ascending sequences. */
  readonly sequence: number;
}

/** Declares the payments of an order. */
export function needPayments(need: KeySet, { tenant, id }: OrderKey): void {
  need.all(paymentProjections, "order", [tenant, id]);
}

/**
 * Stores a payment's state, unless a later event was applied already, and returns the sums over all payments of the
 * order.
 */
export function projectPayment(batch: Batch, { tenant, id }: OrderKey, projection: PaymentProjection): Funds {
  const rows = batch.list(paymentProjections, "order", [tenant, id]);
  const known = rows.find((row) => row.payment_id === projection.id);
  if (known !== undefined && known.event_sequence >= projection.sequence) {
    return sum(rows);
  }
  const { authorized, captured, refunded } = projection;
  const row = {
    ...{ tenant_id: tenant, order_id: id, payment_id: projection.id },
    ...{ event_sequence: projection.sequence, authorized, captured, refunded },
  };
  if (known === undefined) {
    batch.insert(paymentProjections, row);
  } else {
    batch.update(paymentProjections, row);
  }
  return sum([...rows.filter((other) => other !== known), row]);
}

/** State of one shipment, as published by the logistics service. */
export interface ShipmentProjection extends Parcel {
  readonly sequence: number;
}

/** Declares the shipments of an order. */
export function needShipments(need: KeySet, { tenant, id }: OrderKey): void {
  need.all(shipmentProjections, "order", [tenant, id]);
}

/** Stores a shipment's state, unless a later event was applied already, and returns all shipments of the order. */
export function projectShipment(batch: Batch, { tenant, id }: OrderKey, projection: ShipmentProjection): Parcel[] {
  const rows = batch.list(shipmentProjections, "order", [tenant, id]);
  const known = rows.find((row) => row.shipment_id === projection.id);
  if (known !== undefined && known.event_sequence >= projection.sequence) {
    return rows.map(toParcel);
  }
  const row = {
    ...{ tenant_id: tenant, order_id: id, shipment_id: projection.id, event_sequence: projection.sequence },
    cancelled: projection.over ? 1 : 0,
    delivered: projection.delivered ? 1 : 0,
    lines: JSON.stringify(projection.lines),
  };
  if (known === undefined) {
    batch.insert(shipmentProjections, row);
  } else {
    batch.update(shipmentProjections, row);
  }
  return [...rows.filter((other) => other !== known).map(toParcel), projection];
}

function toParcel(row: {
  readonly shipment_id: string;
  readonly cancelled: number;
  readonly delivered: number;
  readonly lines: string;
}): Parcel {
  return {
    id: row.shipment_id,
    over: row.cancelled === 1,
    delivered: row.delivered === 1,
    lines: JSON.parse(row.lines) as Parcel["lines"],
  };
}

type Amounts = Readonly<Record<keyof Funds, number | bigint>>;

function sum(rows: readonly Amounts[]): Funds {
  const total = (field: keyof Funds) => rows.reduce((before, row) => before + BigInt(row[field]), 0n);
  return { authorized: total("authorized"), captured: total("captured"), refunded: total("refunded") };
}
