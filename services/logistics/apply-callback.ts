import type { Transaction } from "kysely";
import type { Applied, CallbackToApply } from "../runtime/callbacks/callback-store.ts";
import { applyTrackingUpdates } from "./apply-tracking-updates.ts";
import type { CarrierReport } from "./carriers/carrier.ts";
import type { LogisticsContext } from "./context.ts";
import type { LogisticsDatabase } from "./db/schema.ts";
import { shipmentName } from "./messages.ts";
import { findIdByTrackingNumber, lockShipment } from "./store/shipments.ts";

/**
 * Applies the tracking updates of a verified callback to their shipment. Idempotent and order-independent. If no
 * shipment has the tracking number yet, the callback waits for it.
 */
export async function applyCallback(
  logistics: LogisticsContext,
  trx: Transaction<LogisticsDatabase>,
  { source, content: { trackingNumber: reference, updates } }: CallbackToApply<CarrierReport>,
): Promise<Applied> {
  const id = await findIdByTrackingNumber(trx, source, reference);
  const shipment = id === undefined ? undefined : await lockShipment(trx, logistics.db.dialect, id);
  if (shipment === undefined) {
    return { kind: "early", problem: `no shipment has the reference ${reference}`, reference };
  }
  const after = await applyTrackingUpdates(logistics, trx, shipment, updates);
  return { kind: "applied", changed: after !== shipment, tenant: shipment.tenant, subject: shipmentName(shipment) };
}
