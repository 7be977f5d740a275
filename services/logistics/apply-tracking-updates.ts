import type { Transaction } from "kysely";
import type { OutboxEvent } from "../runtime/outbox/outbox.ts";
import type { LogisticsContext } from "./context.ts";
import type { LogisticsDatabase } from "./db/schema.ts";
import type { StoredShipment } from "./domain/shipment.ts";
import { isOpen, type ShipmentState } from "./domain/shipment-state.ts";
import { type CarrierUpdate, merge, type Notice, notices, type Progress } from "./domain/tracking.ts";
import {
  shipmentCancelled,
  shipmentClosed,
  shipmentCollected,
  shipmentDelivered,
  shipmentStateChanged,
} from "./events.ts";
import { shipmentName } from "./messages.ts";
import { type ShipmentChange, updateShipment } from "./store/shipments.ts";
import { insertTrackingEvents } from "./store/tracking-events.ts";

type UpdateContext = Pick<LogisticsContext, "db" | "outbox" | "clock" | "log" | "timing">;

/**
 * Applies carrier tracking updates to a shipment locked by the transaction: stores new events, merges them into the
 * shipment's progress and publishes the resulting events. Idempotent and order-independent, for updates from callbacks,
 * polls and SyncShipment alike. Returns the updated shipment.
 */
export async function applyTrackingUpdates(
  logistics: UpdateContext,
  trx: Transaction<LogisticsDatabase>,
  shipment: StoredShipment,
  updates: readonly CarrierUpdate[],
): Promise<StoredShipment> {
  const fresh = newOnes(shipment, updates);
  if (fresh.length === 0) {
    return shipment;
  }
  if (shipment.progress.decided && fresh.some(({ state }) => state !== "CANCELLED")) {
    logistics.log.warn(
      { shipment: shipmentName(shipment) },
      "a carrier reported on a shipment that was cancelled or closed",
    );
  }
  const progress = fresh.reduce(merge, shipment.progress);
  return changeProgress(logistics, trx, shipment, progress, fresh);
}

/**
 * Updates the progress of a shipment locked by the transaction, stores its tracking events and publishes the changes.
 */
export async function changeProgress(
  { db, outbox, clock, timing }: UpdateContext,
  trx: Transaction<LogisticsDatabase>,
  shipment: StoredShipment,
  progress: Progress,
  events: readonly CarrierUpdate[],
  change: Omit<ShipmentChange, "progress"> = {},
): Promise<StoredShipment> {
  const nowMs = clock.now().getTime();
  const expectsMore = isOpen(progress.reported.state) && !progress.decided;
  const due = shipment.cancelRequested ? {} : { dueInMs: expectsMore ? timing.pollAfterMs : null };
  const all = await insertTrackingEvents(trx, shipment, events, nowMs);
  const changed = await updateShipment(trx, db.dialect, shipment, { ...due, ...change, progress }, nowMs);
  const after = { ...changed, events: all };
  const changes = notices(shipment.progress, progress);
  await outbox.publish(
    trx,
    changes.map((notice) => eventOf(notice, after, shipment.progress.reported.state)),
  );
  return after;
}

function newOnes(shipment: StoredShipment, updates: readonly CarrierUpdate[]): CarrierUpdate[] {
  const known = new Set(shipment.events.map(({ eventId }) => eventId));
  return updates.filter(({ eventId }) => {
    const isNew = !known.has(eventId);
    known.add(eventId);
    return isNew;
  });
}

function eventOf(notice: Notice, shipment: StoredShipment, previous: ShipmentState): OutboxEvent {
  switch (notice) {
    case "collected":
      return shipmentCollected(shipment);
    case "stateChanged":
      return shipmentStateChanged(shipment, previous);
    case "delivered":
      return shipmentDelivered(shipment);
    case "cancelled":
      return shipmentCancelled(shipment);
    case "closed":
      return shipmentClosed(shipment);
    default:
      return notice satisfies never;
  }
}
