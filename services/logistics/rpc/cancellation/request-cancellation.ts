import type { Batch } from "../../../runtime/commands/command.ts";
import type { LogisticsContext } from "../../context.ts";
import { changed, type StoredShipment } from "../../domain/shipment.ts";
import { shipments } from "../../store/mappings.ts";

/**
 * Requests the cancellation of a shipment that the command has loaded. Idempotent. Invalidates the claim of a carrier
 * call in flight: the response to a booking is then discarded, and the booking is cancelled by its reference whether it
 * has arrived or not. Returns the updated shipment.
 */
export function requestCancellation(
  { clock }: LogisticsContext,
  batch: Batch,
  shipment: StoredShipment,
): StoredShipment {
  if (shipment.cancelRequested) {
    return shipment;
  }
  const requested = changed(shipment, { cancelRequested: true, dueAt: batch.nowMs }, clock.now().getTime());
  batch.update(shipments, requested);
  return requested;
}
