import { SpanStatusCode } from "@opentelemetry/api";
import type { Batch, Command, KeySet } from "../runtime/commands/command.ts";
import type { Claimed } from "../runtime/jobs/claim-due.ts";
import { causedBy, inSpan, type SpanOptions, type TraceFields } from "../runtime/telemetry/tracing.ts";
import { fullJitterMs } from "../runtime/values/backoff.ts";
import { applyTrackingUpdates, changeProgress } from "./apply-tracking-updates.ts";
import type { BookingOutcome, CancelOutcome } from "./carriers/carrier.ts";
import type { LogisticsContext } from "./context.ts";
import { changed, type StoredShipment } from "./domain/shipment.ts";
import { isOpen } from "./domain/shipment-state.ts";
import type { CarrierUpdate } from "./domain/tracking.ts";
import { shipmentCreated } from "./events.ts";
import { holdClaim } from "./hold-claim.ts";
import { shipmentName } from "./messages.ts";
import { shipments } from "./store/mappings.ts";
import { findShipmentById } from "./store/shipments.ts";

/**
 * Runs a shipment's pending carrier call: book, cancel or track. The claim is already committed, so after a crash
 * another process repeats the call with the same reference. A response that arrives after another claim is discarded.
 *
 * A failed call is rescheduled with backoff; the promise still resolves.
 */
export async function runCarrierTask(ctx: LogisticsContext, claim: Claimed, stop: AbortSignal): Promise<void> {
  const { db, log } = ctx;
  const shipment = await findShipmentById(db.kysely, claim.id);
  if (shipment === undefined || shipment.attempt !== claim.attempt) {
    return;
  }
  await inSpan("carrier task", spanOf(ctx, shipment), async (span) => {
    try {
      await askCarrier(ctx, shipment, stop);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
      log.warn({ err: error, shipment: shipmentName(shipment) }, "the carrier could not be queried");
      await postpone(ctx, shipment);
    }
  });
}

/** In the trace of the call that created the shipment. */
function spanOf({ clock }: LogisticsContext, shipment: StoredShipment): SpanOptions {
  const { tenant, carrier, traceparent, createdAt } = shipment;
  const attributes = { "docket.tenant": tenant, "docket.shipment": shipmentName(shipment), "docket.carrier": carrier };
  const fields: TraceFields = traceparent === undefined ? {} : { traceparent };
  return { attributes, ...causedBy(fields, clock.now().getTime() - createdAt) };
}

async function askCarrier(ctx: LogisticsContext, shipment: StoredShipment, stop: AbortSignal): Promise<void> {
  const carrier = ctx.carriers.get(shipment.carrier);
  if (carrier === undefined) {
    throw new Error(`the carrier ${shipment.carrier} is not configured`);
  }
  const signal = AbortSignal.any([stop, AbortSignal.timeout(ctx.timing.current.carrierTimeoutMs)]);
  const { reference, trackingNumber } = consignmentOf(shipment);
  const held = <T>(call: () => Promise<T>) => holdClaim(ctx, shipment, signal, call);
  if (shipment.cancelRequested) {
    const outcome: CancelOutcome = neverSent(shipment)
      ? { kind: "cancelled" }
      : await held(() => carrier.cancel({ reference, trackingNumber }, signal));
    await recordCancellation(ctx, shipment, outcome);
  } else if (shipment.booking === "PENDING") {
    const { carrierService: service, destination, lines } = shipment;
    const outcome = await held(() => carrier.book({ reference, service, destination, lines }, signal));
    await recordBooking(ctx, shipment, outcome);
  } else {
    const updates = await held(() => carrier.track({ reference, trackingNumber }, signal));
    await recordTrackingPoll(ctx, shipment, updates);
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

async function recordBooking(ctx: LogisticsContext, claimed: StoredShipment, outcome: BookingOutcome): Promise<void> {
  const { clock, timing, callbacks, callbackStore, nudgeShipments } = ctx;
  const waiting = outcome.kind === "refused" ? undefined : ([claimed.carrier, outcome.trackingNumber] as const);
  await execute(ctx, claimed, {
    keys(need) {
      if (waiting !== undefined) {
        callbackStore.nameWaiting(need, waiting);
      }
    },
    decide(batch, shipment) {
      if (shipment.attempt !== claimed.attempt || shipment.booking !== "PENDING") {
        return;
      }
      if (outcome.kind === "refused" || waiting === undefined) {
        const reason = outcome.kind === "refused" ? outcome.reason : "";
        decideCancelled(ctx, batch, shipment, "booking_refused", reason);
        return;
      }
      const { trackingNumber, trackingUrl } = outcome;
      const dueAt = shipment.cancelRequested ? batch.nowMs : batch.nowMs + timing.current.pollAfterMs;
      const change = { booking: "BOOKED", trackingNumber, trackingUrl, failures: 0, dueAt } as const;
      const booked = changed(shipment, change, clock.now().getTime());
      batch.update(shipments, booked);
      callbackStore.wake(batch, waiting);
      batch.publish(shipmentCreated(booked));
    },
  });
  nudgeShipments();
  callbacks.nudge();
}

async function recordCancellation(
  ctx: LogisticsContext,
  claimed: StoredShipment,
  outcome: CancelOutcome,
): Promise<void> {
  const { clock, timing, log, nudgeShipments } = ctx;
  await execute(ctx, claimed, {
    decide(batch, shipment) {
      if (shipment.attempt !== claimed.attempt || !shipment.cancelRequested) {
        return;
      }
      if (outcome.kind === "cancelled" && !shipment.progress.collected) {
        decideCancelled(ctx, batch, shipment, "cancelled", "cancelled before it was collected");
        return;
      }
      if (outcome.kind === "cancelled") {
        log.error({ shipment: shipmentName(shipment) }, "the carrier cancelled a shipment that it had collected");
      }
      // The cancellation invalidated the booking's claim, so its response was discarded: book again.
      const isPending = shipment.booking === "PENDING";
      const pollAt = isOpen(shipment.progress.reported.state) ? batch.nowMs + timing.current.pollAfterMs : undefined;
      const change = { cancelRequested: false, failures: 0, dueAt: isPending ? batch.nowMs : pollAt };
      batch.update(shipments, changed(shipment, change, clock.now().getTime()));
      batch.afterCommit(nudgeShipments);
    },
  });
}

/** Cancels a loaded shipment. Final: later carrier updates do not change its state. */
function decideCancelled(
  ctx: LogisticsContext,
  batch: Batch,
  shipment: StoredShipment,
  status: string,
  message: string,
): void {
  const occurredAt = ctx.clock.now().getTime();
  const eventId = `docket:${status}`;
  const event = { eventId, status, state: "CANCELLED", message, location: "", occurredAt } as const;
  const reported = { state: "CANCELLED", at: occurredAt, eventId } as const;
  const booking = shipment.booking === "PENDING" ? "REFUSED" : shipment.booking;
  const change = { booking, cancelRequested: false, failures: 0, dueAt: undefined } as const;
  changeProgress(ctx, batch, shipment, { ...shipment.progress, reported, decided: true }, [event], change);
}

/** Applies the updates of a tracking poll, and expires a shipment that has had no update for `expireAfterMs`. */
export function recordTrackingPoll(
  ctx: LogisticsContext,
  claimed: StoredShipment,
  updates: readonly CarrierUpdate[],
): Promise<StoredShipment | undefined> {
  const { clock, timing } = ctx;
  return execute(ctx, claimed, {
    decide(batch, shipment) {
      if (shipment.cancelRequested) {
        return shipment;
      }
      const after = applyTrackingUpdates(ctx, batch, shipment, updates);
      if (after !== shipment || !isOpen(shipment.progress.reported.state)) {
        return after;
      }
      const nowMs = clock.now().getTime();
      const lastNewsAt = shipment.events.at(-1)?.occurredAt ?? shipment.createdAt;
      if (nowMs - lastNewsAt > timing.current.expireAfterMs) {
        const message = "no tracking update for too long";
        const what = { status: "expired", state: "EXPIRED", message, location: "" } as const;
        return applyTrackingUpdates(ctx, batch, shipment, [
          { ...what, eventId: `docket:expired:${nowMs}`, occurredAt: nowMs },
        ]);
      }
      batch.update(shipments, { ...shipment, failures: 0, dueAt: batch.nowMs + timing.current.pollAfterMs });
      return after;
    },
  });
}

async function postpone(ctx: LogisticsContext, claimed: StoredShipment): Promise<void> {
  const { timing, random } = ctx;
  await execute(ctx, claimed, {
    decide(batch, shipment) {
      if (shipment.attempt === claimed.attempt) {
        const failures = shipment.failures + 1;
        const pauseMs = Math.round(fullJitterMs(failures, timing.current.retry, random));
        batch.update(shipments, { ...shipment, failures, dueAt: batch.nowMs + pauseMs });
      }
    },
  });
}

/** A command on one shipment. */
interface ShipmentCommand<Result> {
  /** The rows that it needs besides the shipment. */
  keys?(need: KeySet): void;
  decide(batch: Batch, shipment: StoredShipment): Result;
}

/** Executes a command on a shipment. Resolves with undefined if the shipment does not exist. */
function execute<Result>(
  { commands }: LogisticsContext,
  { tenant, id }: Pick<StoredShipment, "tenant" | "id">,
  { keys, decide }: ShipmentCommand<Result>,
): Promise<Result | undefined> {
  const command: Command<Result | undefined> = {
    keys(need) {
      need.one(shipments, [tenant, id]);
      keys?.(need);
    },
    decide(batch) {
      const shipment = batch.get(shipments, [tenant, id]);
      return shipment && decide(batch, shipment);
    },
  };
  return commands.execute(command, { tenant });
}
