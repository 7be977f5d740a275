import type { Transaction } from "kysely";
import type { LogisticsContext } from "../../context.ts";
import type { LogisticsDatabase } from "../../db/schema.ts";
import type { StoredShipment } from "../../domain/shipment.ts";
import { updateShipment } from "../../store/shipments.ts";

/**
 * Requests the cancellation of a shipment locked by the transaction. Idempotent. Invalidates the claim of a carrier
 * call in flight: the response to a booking is then discarded, and the booking is cancelled by its reference whether it
 * has arrived or not.
 */
export async function requestCancellation(
  { db, clock }: LogisticsContext,
  trx: Transaction<LogisticsDatabase>,
  shipment: StoredShipment,
): Promise<void> {
  if (!shipment.cancelRequested) {
    const change = { cancelRequested: true, dueInMs: 0 } as const;
    await updateShipment(trx, db.dialect, shipment, change, clock.now().getTime());
  }
}
