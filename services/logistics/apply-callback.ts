import type { Transaction } from "kysely";
import type { Applied, CallbackToApply } from "../runtime/callbacks/callback-inbox.ts";
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
  { source, body }: CallbackToApply,
): Promise<Applied> {
  const carrier = logistics.carriers.get(source);
  if (carrier === undefined) {
    return { kind: "early", problem: `the carrier ${source} is not configured` };
  }
  let report: CarrierReport;
  try {
    report = carrier.read(body);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { kind: "failed", problem: `it cannot be read: ${why}` };
  }
  const { trackingNumber: reference, updates } = report;
  const id = await findIdByTrackingNumber(trx, source, reference);
  const shipment = id === undefined ? undefined : await lockShipment(trx, logistics.db.dialect, id);
  if (shipment === undefined) {
    return { kind: "early", problem: `no shipment is known by ${reference}`, reference };
  }
  const after = await applyTrackingUpdates(logistics, trx, shipment, updates);
  return { kind: "applied", changed: after !== shipment, tenant: shipment.tenant, subject: shipmentName(shipment) };
}
