import type { Batch } from "../runtime/commands/command.ts";
import type { OutboxEvent } from "../runtime/outbox/outbox.ts";
import type { LogisticsContext } from "./context.ts";
import { changed, type ShipmentChange, type StoredShipment } from "./domain/shipment.ts";
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
import { shipments } from "./store/mappings.ts";
import { byTime } from "./store/shipment-rows.ts";

type UpdateContext = Pick<LogisticsContext, "clock" | "log" | "timing">;

/**
 * Applies carrier tracking updates to a shipment that the command has loaded: stores new events, merges them into the
 * shipment's progress and publishes the resulting events. Idempotent and order-independent, for updates from callbacks,
 * polls and SyncShipment alike. Returns the updated shipment.
 */
export function applyTrackingUpdates(
  ctx: UpdateContext,
  batch: Batch,
  shipment: StoredShipment,
  updates: readonly CarrierUpdate[],
): StoredShipment {
  const fresh = newOnes(shipment, updates);
  if (fresh.length === 0) {
    return shipment;
  }
  if (shipment.progress.decided && fresh.some(({ state }) => state !== "CANCELLED")) {
    ctx.log.warn({ shipment: shipmentName(shipment) }, "a carrier reported on a shipment that was cancelled or closed");
  }
  const progress = fresh.reduce(merge, shipment.progress);
  return changeProgress(ctx, batch, shipment, progress, fresh);
}

/** Updates the progress of a loaded shipment, stores its tracking events and publishes the changes. */
export function changeProgress(
  { clock, timing }: UpdateContext,
  batch: Batch,
  shipment: StoredShipment,
  progress: Progress,
  events: readonly CarrierUpdate[],
  change: Omit<ShipmentChange, "progress" | "events"> = {},
): StoredShipment {
  const receivedAt = clock.now().getTime();
  const expectsMore = isOpen(progress.reported.state) && !progress.decided;
  const dueAt = expectsMore ? batch.nowMs + timing.current.pollAfterMs : undefined;
  const all = [...shipment.events, ...events.map((event) => ({ ...event, receivedAt }))].sort(byTime);
  const due = shipment.cancelRequested ? {} : { dueAt };
  const after = changed(shipment, { ...due, ...change, progress, events: all }, receivedAt);
  batch.update(shipments, after);
  for (const notice of notices(shipment.progress, progress)) {
    batch.publish(eventOf(notice, after, shipment.progress.reported.state));
  }
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
