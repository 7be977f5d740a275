import { fullJitterMs } from "../runtime/backoff.ts";
import type { Claimed } from "../runtime/db/claim-due.ts";
import type { CarrierReport } from "./carriers/carrier.ts";
import type { LogisticsContext } from "./context.ts";
import { findClaimedCallback, postponeCallback, settleCallback } from "./store/carrier-callbacks.ts";
import { findIdByTrackingNumber, lockShipment } from "./store/shipments.ts";
import { takeOver } from "./take-over.ts";

/**
 * Processes a verified callback that is claimed: its effect and the end of the callback are one transaction. A callback
 * whose shipment is not known yet waits; one that cannot be read is kept as UNREADABLE. Never throws for what is wrong
 * with the callback, as its carrier has done its part.
 */
export async function processCallback(logistics: LogisticsContext, claim: Claimed): Promise<void> {
  const { db, carriers, clock, log, timing } = logistics;
  const row = await findClaimedCallback(db, claim);
  if (row === undefined) {
    return;
  }
  const carrier = carriers.get(row.carrier);
  if (carrier === undefined) {
    await later(logistics, claim, { error: `${row.carrier} is no carrier here` });
    return;
  }
  let report: CarrierReport;
  try {
    report = carrier.read(row.body);
  } catch (error) {
    log.error({ err: error, callback: row.id, carrier: row.carrier }, "a carrier's callback cannot be read");
    await settleCallback(db.kysely, row.id, { state: "UNREADABLE", error: `${error}` });
    return;
  }
  const { trackingNumber, updates } = report;
  const processed = await db.transaction(async (trx) => {
    const id = await findIdByTrackingNumber(trx, row.carrier, trackingNumber);
    const shipment = id === undefined ? undefined : await lockShipment(trx, db.dialect, id);
    if (shipment === undefined) {
      return false;
    }
    await takeOver(logistics, trx, shipment, updates);
    const processedAt = clock.now().getTime();
    await settleCallback(trx, row.id, { state: "PROCESSED", tenant: shipment.tenant, trackingNumber, processedAt });
    return true;
  });
  if (!processed) {
    const error = `no shipment is known by ${trackingNumber}`;
    if (clock.now().getTime() - row.received_at > timing.callbackPatienceMs) {
      await settleCallback(db.kysely, row.id, { state: "UNMATCHED", error, trackingNumber });
    } else {
      await later(logistics, claim, { error, trackingNumber });
    }
  }
}

async function later(
  { db, timing, random }: LogisticsContext,
  claim: Claimed,
  why: { error: string; trackingNumber?: string },
): Promise<void> {
  const dueInMs = fullJitterMs(claim.attempt, timing.retry, random);
  await postponeCallback(db, claim, { ...why, dueInMs });
}
