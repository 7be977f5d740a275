import type { Kysely, Selectable } from "kysely";
import type { LogisticsDatabase, ShipmentLinesTable, ShipmentsTable, TrackingEventsTable } from "../db/schema.ts";
import {
  byLineItem,
  type Destination,
  type ShippedLine,
  type StoredShipment,
  type StoredTrackingEvent,
} from "../domain/shipment.ts";

type Db = Kysely<LogisticsDatabase>;

/** Loads lines and tracking events of `shipments` rows, of any tenants, with two statements in total. */
export async function toShipments(db: Db, rows: readonly Selectable<ShipmentsTable>[]): Promise<StoredShipment[]> {
  if (rows.length === 0) {
    return [];
  }
  const tenants = [...new Set(rows.map((row) => row.tenant_id))];
  const ids = rows.map((row) => row.id);
  const lines = await db
    .selectFrom("shipment_lines")
    .selectAll()
    .where("tenant_id", "in", tenants)
    .where("shipment_id", "in", ids)
    .execute();
  const events = await db
    .selectFrom("tracking_events")
    .selectAll()
    .where("tenant_id", "in", tenants)
    .where("shipment_id", "in", ids)
    .execute();
  const linesOf = Map.groupBy(lines, (row) => row.shipment_id);
  const eventsOf = Map.groupBy(events, (row) => row.shipment_id);
  return rows.map((row) => toShipment(row, linesOf.get(row.id) ?? [], eventsOf.get(row.id) ?? []));
}

function toLine({ line_item_id, sku, quantity, restocked }: Selectable<ShipmentLinesTable>): ShippedLine {
  return { lineItemId: line_item_id, sku, quantity, ...(restocked > 0 && { restocked }) };
}

function toEvent(row: Selectable<TrackingEventsTable>): StoredTrackingEvent {
  return {
    eventId: row.event_id,
    state: row.state ?? undefined,
    status: row.carrier_status,
    message: row.message,
    location: row.location,
    occurredAt: row.occurred_at,
    receivedAt: row.received_at,
  };
}

/** Compares tracking events by time. */
export function byTime(a: StoredTrackingEvent, b: StoredTrackingEvent): number {
  return a.occurredAt - b.occurredAt || (a.eventId < b.eventId ? -1 : 1);
}

/** Converts a row of `shipments` with its lines and tracking events, in any order. */
export function toShipment(
  row: Selectable<ShipmentsTable>,
  lines: readonly Selectable<ShipmentLinesTable>[],
  events: readonly Selectable<TrackingEventsTable>[],
): StoredShipment {
  return {
    tenant: row.tenant_id,
    id: row.id,
    orderId: row.order_id,
    number: row.number,
    carrier: row.carrier,
    carrierService: row.carrier_service,
    lines: lines.map(toLine).sort(byLineItem),
    destination: JSON.parse(row.destination) as Destination,
    labels: JSON.parse(row.labels) as Record<string, string>,
    booking: row.booking,
    trackingNumber: row.tracking_number ?? undefined,
    trackingUrl: row.tracking_url ?? undefined,
    progress: {
      reported: { state: row.state, at: row.state_at, eventId: row.state_event_id },
      collected: row.collected === 1,
      deliveredAt: row.delivered_at ?? undefined,
      decided: row.cancelled_at !== null || row.closed_at !== null,
      closedAt: row.closed_at ?? undefined,
    },
    cancelledAt: row.cancelled_at ?? undefined,
    cancelRequested: row.cancel_requested === 1,
    events: events.map(toEvent).sort(byTime),
    dueAt: row.due_at ?? undefined,
    attempt: row.attempt,
    failures: row.failures,
    traceparent: row.traceparent ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  };
}
