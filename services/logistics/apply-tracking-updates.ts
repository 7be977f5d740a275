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

type Taking = Pick<LogisticsContext, "db" | "outbox" | "clock" | "log" | "timing">;

/**
 * Takes over what a carrier told of a shipment that the transaction has locked: keeps what is new, merges it into the
 * shipment's progress, and publishes what follows from it. Whoever brings it (a callback, a poll, SyncShipment), and in
 * whatever order and however often, the end is the same. Returns the shipment as it is then.
 */
export async function applyTrackingUpdates(
  logistics: Taking,
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
      "a carrier tells news of a shipment that was cancelled or closed",
    );
  }
  const progress = fresh.reduce(merge, shipment.progress);
  return changeProgress(logistics, trx, shipment, progress, fresh);
}

/** Moves a shipment that the transaction has locked, with the events that say why, and tells everybody. */
export async function changeProgress(
  { db, outbox, clock, timing }: Taking,
  trx: Transaction<LogisticsDatabase>,
  shipment: StoredShipment,
  progress: Progress,
  events: readonly CarrierUpdate[],
  change: Omit<ShipmentChange, "progress"> = {},
): Promise<StoredShipment> {
  const nowMs = clock.now().getTime();
  const expectsMore = isOpen(progress.told.state) && !progress.decided;
  const due = shipment.cancelRequested ? {} : { dueInMs: expectsMore ? timing.pollAfterMs : null };
  const all = await insertTrackingEvents(trx, shipment, events, nowMs);
  const changed = await updateShipment(trx, db.dialect, shipment, { ...due, ...change, progress }, nowMs);
  const after = { ...changed, events: all };
  const told = notices(shipment.progress, progress);
  await outbox.publish(
    trx,
    told.map((notice) => eventOf(notice, after, shipment.progress.told.state)),
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
