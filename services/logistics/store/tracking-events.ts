import type { Transaction } from "kysely";
import type { LogisticsDatabase } from "../db/schema.ts";
import type { StoredShipment, StoredTrackingEvent } from "../domain/shipment.ts";
import type { CarrierUpdate } from "../domain/tracking.ts";

/**
 * Inserts new tracking events of a locked shipment, and returns all of its events, oldest first. The events must not
 * exist yet.
 */
export async function insertTrackingEvents(
  trx: Transaction<LogisticsDatabase>,
  shipment: StoredShipment,
  updates: readonly CarrierUpdate[],
  receivedAt: number,
): Promise<readonly StoredTrackingEvent[]> {
  const rows = updates.map((update) => ({
    tenant_id: shipment.tenant,
    shipment_id: shipment.id,
    event_id: update.eventId,
    state: update.state ?? null,
    carrier_status: update.status,
    message: update.message,
    location: update.location,
    occurred_at: update.occurredAt,
    received_at: receivedAt,
  }));
  if (rows.length > 0) {
    await trx.insertInto("tracking_events").values(rows).execute();
  }
  return [...shipment.events, ...updates].sort(byTime);
}

function byTime(a: StoredTrackingEvent, b: StoredTrackingEvent): number {
  return a.occurredAt - b.occurredAt || (a.eventId < b.eventId ? -1 : 1);
}
