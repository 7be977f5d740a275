import type { Applied, CallbackToApply } from "../runtime/callbacks/callback-store.ts";
import type { Command } from "../runtime/commands/command.ts";
import { applyTrackingUpdates } from "./apply-tracking-updates.ts";
import type { CarrierReport } from "./carriers/carrier.ts";
import type { LogisticsContext } from "./context.ts";
import { shipmentName } from "./messages.ts";
import { shipments } from "./store/mappings.ts";

/**
 * Applies the tracking updates of a verified callback to their shipment. Idempotent and order-independent. If no
 * shipment has the tracking number yet, the callback waits for it. If the carrier has used the number several times, the
 * newest shipment has it.
 */
export function applyCallback(
  ctx: LogisticsContext,
  { source, content: { trackingNumber: reference, updates } }: CallbackToApply<CarrierReport>,
): Command<Applied> {
  const number = [source, reference];
  return {
    keys: (need) => need.all(shipments, "trackingNumber", number),
    decide(batch) {
      const [shipment] = batch.list(shipments, "trackingNumber", number).sort((a, b) => (a.id > b.id ? -1 : 1));
      if (shipment === undefined) {
        return { kind: "early", problem: `no shipment has the reference ${reference}`, reference };
      }
      const after = applyTrackingUpdates(ctx, batch, shipment, updates);
      return {
        kind: "applied",
        changed: after !== shipment,
        tenant: shipment.tenant,
        subject: shipmentName(shipment),
      };
    },
  };
}
