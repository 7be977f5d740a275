import { afterCommit } from "../runtime/db/after-commit.ts";
import type { Claimed } from "../runtime/jobs/claim-due.ts";
import { fullJitterMs } from "../runtime/values/backoff.ts";
import { applyTrackingUpdates, changeProgress } from "./apply-tracking-updates.ts";
import type { BookingOutcome, CancelOutcome, Carrier } from "./carriers/carrier.ts";
import type { LogisticsContext } from "./context.ts";
import type { StoredShipment } from "./domain/shipment.ts";
import { isOpen } from "./domain/shipment-state.ts";
import type { CarrierUpdate } from "./domain/tracking.ts";
import { shipmentCreated } from "./events.ts";
import { holdClaim } from "./hold-claim.ts";
import { shipmentName } from "./messages.ts";
import { findShipmentById, lockShipment, scheduleShipment, updateShipment } from "./store/shipments.ts";

/**
 * Runs a shipment's pending carrier call: book, cancel or track. The claim is already committed, so after a crash
 * another process repeats the call with the same reference. A response that arrives after another claim is discarded.
 *
 * A failed call is rescheduled with backoff; the promise still resolves.
 */
export async function runCarrierTask(logistics: LogisticsContext, claim: Claimed, stop: AbortSignal): Promise<void> {
  const { db, carriers, timing, log } = logistics;
  const shipment = await findShipmentById(db.kysely, claim.id);
  if (shipment === undefined || shipment.attempt !== claim.attempt) {
    return;
  }
  const signal = AbortSignal.any([stop, AbortSignal.timeout(timing.carrierTimeoutMs)]);
  try {
    const carrier = carriers.get(shipment.carrier);
    if (carrier === undefined) {
      throw new Error(`the carrier ${shipment.carrier} is not configured`);
    }
    await askCarrier(logistics, carrier, shipment, signal);
  } catch (error) {
    log.warn({ err: error, shipment: shipmentName(shipment) }, "the carrier could not be queried");
    await postpone(logistics, shipment);
  }
}

async function askCarrier(
  logistics: LogisticsContext,
  carrier: Carrier,
  shipment: StoredShipment,
  signal: AbortSignal,
): Promise<void> {
  const { reference, trackingNumber } = consignmentOf(shipment);
  const held = <T>(call: () => Promise<T>) => holdClaim(logistics, shipment, signal, call);
  if (shipment.cancelRequested) {
    const outcome: CancelOutcome = neverSent(shipment)
      ? { kind: "cancelled" }
      : await held(() => carrier.cancel({ reference, trackingNumber }, signal));
    await recordCancellation(logistics, shipment, outcome);
  } else if (shipment.booking === "PENDING") {
    const { carrierService: service, destination, lines } = shipment;
    const outcome = await held(() => carrier.book({ reference, service, destination, lines }, signal));
    await recordBooking(logistics, shipment, outcome);
  } else {
    const updates = await held(() => carrier.track({ reference, trackingNumber }, signal));
    await recordTrackingPoll(logistics, shipment, updates);
  }
}

/** Returns the identifiers by which the carrier knows a shipment. */
export function consignmentOf(shipment: StoredShipment) {
  return { reference: shipmentName(shipment), trackingNumber: shipment.trackingNumber };
}

/** Returns whether no booking can have been sent: this is the shipment's first claim. */
function neverSent(shipment: StoredShipment): boolean {
  return shipment.booking === "PENDING" && shipment.attempt === 1;
}

async function recordBooking(
  logistics: LogisticsContext,
  claimed: StoredShipment,
  outcome: BookingOutcome,
): Promise<void> {
  const { db, outbox, clock, timing, callbacks, callbackStore, nudgeShipments } = logistics;
  await db.transaction(async (trx) => {
    const shipment = await lockShipment(trx, db.dialect, claimed.id);
    if (shipment?.attempt !== claimed.attempt || shipment.booking !== "PENDING") {
      return;
    }
    if (outcome.kind === "refused") {
      await decideCancelled(logistics, trx, shipment, "booking_refused", outcome.reason);
      return;
    }
    const { trackingNumber, trackingUrl } = outcome;
    const dueInMs = shipment.cancelRequested ? 0 : timing.pollAfterMs;
    const change = { booking: "BOOKED", trackingNumber, trackingUrl, failures: 0, dueInMs } as const;
    const booked = await updateShipment(trx, db.dialect, shipment, change, clock.now().getTime());
    await callbackStore.wake(trx, shipment.carrier, trackingNumber);
    await outbox.publish(trx, [shipmentCreated(booked)]);
  });
  nudgeShipments();
  callbacks.nudge();
}

async function recordCancellation(
  logistics: LogisticsContext,
  claimed: StoredShipment,
  outcome: CancelOutcome,
): Promise<void> {
  const { db, clock, timing, log, nudgeShipments } = logistics;
  await db.transaction(async (trx) => {
    const shipment = await lockShipment(trx, db.dialect, claimed.id);
    if (shipment?.attempt !== claimed.attempt || !shipment.cancelRequested) {
      return;
    }
    if (outcome.kind === "cancelled" && !shipment.progress.collected) {
      await decideCancelled(logistics, trx, shipment, "cancelled", "cancelled before it was collected");
      return;
    }
    if (outcome.kind === "cancelled") {
      log.error({ shipment: shipmentName(shipment) }, "the carrier cancelled a shipment that it had collected");
    }
    // The cancellation invalidated the booking's claim, so its response was discarded: book again.
    const dueInMs =
      shipment.booking === "PENDING" ? 0 : isOpen(shipment.progress.reported.state) ? timing.pollAfterMs : null;
    const change = { cancelRequested: false, failures: 0, dueInMs };
    await updateShipment(trx, db.dialect, shipment, change, clock.now().getTime());
    afterCommit(trx, nudgeShipments);
  });
}

/** Cancels a shipment locked by the transaction. Final: later carrier updates do not change its state. */
async function decideCancelled(
  logistics: LogisticsContext,
  trx: Parameters<typeof changeProgress>[1],
  shipment: StoredShipment,
  status: string,
  message: string,
): Promise<void> {
  const occurredAt = logistics.clock.now().getTime();
  const eventId = `docket:${status}`;
  const event = { eventId, status, state: "CANCELLED", message, location: "", occurredAt } as const;
  const reported = { state: "CANCELLED", at: occurredAt, eventId } as const;
  const booking = shipment.booking === "PENDING" ? "REFUSED" : shipment.booking;
  const change = { booking, cancelRequested: false, failures: 0, dueInMs: null } as const;
  await changeProgress(logistics, trx, shipment, { ...shipment.progress, reported, decided: true }, [event], change);
}

/** Applies the updates of a tracking poll, and expires a shipment that has had no update for `timing.expireAfterMs`. */
export async function recordTrackingPoll(
  logistics: LogisticsContext,
  claimed: StoredShipment,
  updates: readonly CarrierUpdate[],
): Promise<StoredShipment | undefined> {
  const { db, clock, timing } = logistics;
  return db.transaction(async (trx) => {
    const shipment = await lockShipment(trx, db.dialect, claimed.id);
    if (shipment === undefined || shipment.cancelRequested) {
      return shipment;
    }
    const after = await applyTrackingUpdates(logistics, trx, shipment, updates);
    if (after !== shipment || !isOpen(shipment.progress.reported.state)) {
      return after;
    }
    const nowMs = clock.now().getTime();
    const lastNewsAt = shipment.events.at(-1)?.occurredAt ?? shipment.createdAt;
    if (nowMs - lastNewsAt > timing.expireAfterMs) {
      const message = "no tracking update for too long";
      const what = { status: "expired", state: "EXPIRED", message, location: "" } as const;
      return applyTrackingUpdates(logistics, trx, shipment, [
        { ...what, eventId: `docket:expired:${nowMs}`, occurredAt: nowMs },
      ]);
    }
    await scheduleShipment(trx, db.dialect, shipment, { failures: 0, dueInMs: timing.pollAfterMs });
    return after;
  });
}

async function postpone({ db, timing, random }: LogisticsContext, claimed: StoredShipment): Promise<void> {
  await db.transaction(async (trx) => {
    const shipment = await lockShipment(trx, db.dialect, claimed.id);
    if (shipment?.attempt === claimed.attempt) {
      const failures = shipment.failures + 1;
      const dueInMs = fullJitterMs(failures, timing.retry, random);
      await scheduleShipment(trx, db.dialect, shipment, { failures, dueInMs });
    }
  });
}
