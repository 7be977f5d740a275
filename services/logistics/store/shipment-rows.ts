import type { Kysely, Selectable } from "kysely";
import type { LogisticsDatabase, ShipmentsTable } from "../db/schema.ts";
import type { Destination, ShippedLine, StoredShipment, StoredTrackingEvent } from "../domain/shipment.ts";

type Db = Kysely<LogisticsDatabase>;

/** Loads lines and tracking events of `shipments` rows, of any tenants, with two statements in total. */
export async function toShipments(db: Db, rows: readonly Selectable<ShipmentsTable>[]): Promise<StoredShipment[]> {
  if (rows.length === 0) {
    return [];
  }
  const tenants = [...new Set(rows.map((row) => row.tenant_id))];
  const ids = rows.map((row) => row.id);
  const lines = new Map<string, ShippedLine[]>(ids.map((id) => [id, []]));
  const events = new Map<string, StoredTrackingEvent[]>(ids.map((id) => [id, []]));
  const lineRows = await db
    .selectFrom("shipment_lines")
    .selectAll()
    .where("tenant_id", "in", tenants)
    .where("shipment_id", "in", ids)
    .execute();
  for (const row of lineRows) {
    lines.get(row.shipment_id)?.push({
      lineItemId: row.line_item_id,
      sku: row.sku,
      quantity: row.quantity,
      ...(row.restocked > 0 && { restocked: row.restocked }),
    });
  }
  const eventRows = await db
    .selectFrom("tracking_events")
    .selectAll()
    .where("tenant_id", "in", tenants)
    .where("shipment_id", "in", ids)
    .orderBy("occurred_at")
    .orderBy("event_id")
    .execute();
  for (const row of eventRows) {
    events.get(row.shipment_id)?.push({
      eventId: row.event_id,
      state: row.state ?? undefined,
      status: row.carrier_status,
      message: row.message,
      location: row.location,
      occurredAt: row.occurred_at,
    });
  }
  return rows.map((row) => toShipment(row, (lines.get(row.id) ?? []).sort(byLineItem), events.get(row.id) ?? []));
}

/** Compares line ids numerically: they count from 1, so the shorter one is smaller. */
export function byLineItem(a: ShippedLine, b: ShippedLine): number {
  return a.lineItemId.length - b.lineItemId.length || (a.lineItemId < b.lineItemId ? -1 : 1);
}

function toShipment(
  row: Selectable<ShipmentsTable>,
  lines: readonly ShippedLine[],
  events: readonly StoredTrackingEvent[],
): StoredShipment {
  return {
    tenant: row.tenant_id,
    id: row.id,
    orderId: row.order_id,
    number: row.number,
    carrier: row.carrier,
    carrierService: row.carrier_service,
    lines,
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
    cancelRequested: row.cancel_requested === 1,
    events,
    attempt: row.attempt,
    failures: row.failures,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  };
}
