import { setTimeout as sleep } from "node:timers/promises";
import { within } from "../../../runtime/process/with-timeout.ts";
import { runCarrierTask } from "../../carrier-tasks.ts";
import type { LogisticsContext } from "../../context.ts";
import type { StoredShipment } from "../../domain/shipment.ts";
import { carrierUnavailable } from "../../errors.ts";
import { claimShipment } from "../../store/claims.ts";
import { findShipmentById } from "../../store/shipments.ts";

const PAUSE_MS = 25;

/**
 * Waits until the carrier has responded to a requested cancellation. Claims and runs the carrier call if no other
 * process has. The claim of a crashed process expires before the timeout. The cancellation continues after a timeout.
 *
 * @throws ConnectError UNAVAILABLE if the carrier has not responded in time
 */
export async function untilCancellationSettled(
  ctx: LogisticsContext,
  id: string,
  signal: AbortSignal,
): Promise<StoredShipment> {
  const { db, clock, timing } = ctx;
  const giveUpAt = clock.monotonicMs() + timing.current.cancelWaitMs;
  for (;;) {
    const shipment = await findShipmentById(db.kysely, id);
    if (shipment === undefined) {
      throw new Error(`shipment ${id} disappeared during its cancellation`);
    }
    if (!shipment.cancelRequested) {
      return shipment;
    }
    const leftMs = giveUpAt - clock.monotonicMs();
    if (leftMs <= 0) {
      throw carrierUnavailable(shipment.carrier);
    }
    const claim = await claimShipment(db, id, timing.current.claimLeaseMs);
    if (claim === undefined) {
      await sleep(PAUSE_MS, undefined, { signal });
    } else {
      await within(leftMs, () => runCarrierTask(ctx, claim, new AbortController().signal));
    }
  }
}
