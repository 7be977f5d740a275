import { type Kysely, sql, type Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, nowMs } from "../../runtime/db/sql.ts";
import type { LogisticsDatabase } from "../db/schema.ts";
import type { Booking, Destination, ShippedLine, StoredShipment } from "../domain/shipment.ts";
import { beginning, type Progress } from "../domain/tracking.ts";
import type { OrderKey } from "./order-shipping.ts";
import { byLineItem, toShipments } from "./shipment-rows.ts";

type Db = Kysely<LogisticsDatabase>;
type Trx = Transaction<LogisticsDatabase>;

/** Identifies a shipment by its resource name. */
export interface ShipmentKey extends OrderKey {
  readonly number: string;
}

export interface NewShipment extends ShipmentKey {
  readonly id: string;
  readonly carrier: string;
  readonly carrierService: string;
  readonly lines: readonly ShippedLine[];
  readonly destination: Destination;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: number;
}

/**
 * Inserts a shipment that is due for booking, and returns it as stored. The transaction must hold the order's lock, and
 * the name must be free.
 */
export async function insertShipment(trx: Trx, dialect: DialectName, it: NewShipment): Promise<StoredShipment> {
  const { reported } = beginning;
  await trx
    .insertInto("shipments")
    .values({
      tenant_id: it.tenant,
      id: it.id,
      order_id: it.orderId,
      number: it.number,
      carrier: it.carrier,
      carrier_service: it.carrierService,
      booking: "PENDING",
      tracking_number: null,
      tracking_url: null,
      destination: JSON.stringify(it.destination),
      labels: JSON.stringify(it.labels),
      state: reported.state,
      state_at: reported.at,
      state_event_id: reported.eventId,
      collected: 0,
      delivered_at: null,
      cancelled_at: null,
      closed_at: null,
      cancel_requested: 0,
      due_at: nowMs(dialect),
      attempt: 0,
      failures: 0,
      created_at: it.createdAt,
      updated_at: it.createdAt,
      version: 1,
    })
    .execute();
  const lines = it.lines.map(({ lineItemId, sku, quantity }) => ({
    tenant_id: it.tenant,
    shipment_id: it.id,
    line_item_id: lineItemId,
    sku,
    quantity,
    restocked: 0,
  }));
  await trx.insertInto("shipment_lines").values(lines).execute();
  return {
    ...it,
    lines: it.lines.toSorted(byLineItem),
    booking: "PENDING",
    trackingNumber: undefined,
    trackingUrl: undefined,
    progress: beginning,
    cancelRequested: false,
    events: [],
    attempt: 0,
    failures: 0,
    updatedAt: it.createdAt,
    version: 1,
  };
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

/** Finds a shipment's id by tracking number. If the carrier has reused the number, the newest shipment wins. */
export async function findIdByTrackingNumber(
  db: Db,
  carrier: string,
  trackingNumber: string,
): Promise<string | undefined> {
  const row = await db
    .selectFrom("shipments")
    .select("id")
    .where("carrier", "=", carrier)
    .where("tracking_number", "=", trackingNumber)
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.id;
}

/** Returns all shipments of an order, oldest first. Stable while the transaction holds the order's lock. */
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

/** Changes to a locked shipment. */
export interface ShipmentChange {
  readonly progress?: Progress;
  readonly booking?: Booking;
  readonly trackingNumber?: string;
  readonly trackingUrl?: string;
  readonly cancelRequested?: boolean;
  readonly failures?: number;
  /** Delay until the next carrier call, by the database's clock. null: no further call; absent: unchanged. */
  readonly dueInMs?: number | null;
}

/** Writes the changes, increments the version and returns the updated shipment. */
export async function updateShipment(
  trx: Trx,
  dialect: DialectName,
  shipment: StoredShipment,
  change: ShipmentChange,
  updatedAt: number,
): Promise<StoredShipment> {
  const { progress, booking, trackingNumber, trackingUrl, cancelRequested, failures, dueInMs } = change;
  await trx
    .updateTable("shipments")
    .set({
      ...(progress && {
        state: progress.reported.state,
        state_at: progress.reported.at,
        state_event_id: progress.reported.eventId,
        collected: progress.collected ? 1 : 0,
        delivered_at: progress.deliveredAt ?? null,
        ...(progress.decided &&
          !shipment.progress.decided &&
          (progress.closedAt === undefined ? { cancelled_at: updatedAt } : { closed_at: progress.closedAt })),
      }),
      ...(booking !== undefined && { booking }),
      ...(trackingNumber !== undefined && { tracking_number: trackingNumber }),
      ...(trackingUrl !== undefined && { tracking_url: trackingUrl }),
      ...(cancelRequested !== undefined && { cancel_requested: cancelRequested ? 1 : 0 }),
      ...(failures !== undefined && { failures }),
      ...(dueInMs !== undefined && { due_at: dueIn(dialect, dueInMs) }),
      updated_at: updatedAt,
      version: shipment.version + 1,
    })
    .where("id", "=", shipment.id)
    .execute();
  return {
    ...shipment,
    progress: progress ?? shipment.progress,
    booking: booking ?? shipment.booking,
    trackingNumber: trackingNumber ?? shipment.trackingNumber,
    trackingUrl: trackingUrl ?? shipment.trackingUrl,
    cancelRequested: cancelRequested ?? shipment.cancelRequested,
    failures: failures ?? shipment.failures,
    updatedAt,
    version: shipment.version + 1,
  };
}

/** Schedules the next carrier call of a locked shipment, relative to now. Does not change the version. */
export async function scheduleShipment(
  trx: Trx,
  dialect: DialectName,
  { id }: StoredShipment,
  { failures, dueInMs }: { failures: number; dueInMs: number | null },
): Promise<void> {
  await trx
    .updateTable("shipments")
    .set({ failures, due_at: dueIn(dialect, dueInMs) })
    .where("id", "=", id)
    .execute();
}

function dueIn(dialect: DialectName, dueInMs: number | null) {
  return dueInMs === null ? null : sql<number>`${nowMs(dialect)} + ${Math.round(dueInMs)}`;
}
