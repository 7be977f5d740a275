import type { CallbackSource } from "../../runtime/callbacks/callback-source.ts";
import type { Destination, ShippedLine } from "../domain/shipment.ts";
import type { CarrierUpdate } from "../domain/tracking.ts";

/** A shipment to book. */
export interface BookingRequest {
  /** The shipment's resource name. Serves as idempotency key and as the carrier's reference to the shipment. */
  readonly reference: string;
  /** The carrier's service, for example `standard`; empty for its default. */
  readonly service: string;
  readonly destination: Destination;
  readonly lines: readonly ShippedLine[];
}

export type BookingOutcome =
  | { readonly kind: "booked"; readonly trackingNumber: string; readonly trackingUrl: string }
  | { readonly kind: "refused"; readonly reason: string };

export type CancelOutcome = { readonly kind: "cancelled" } | { readonly kind: "too-late"; readonly reason: string };

/** A shipment at the carrier. The tracking number is undefined while the outcome of the booking is unknown. */
export interface Consignment {
  readonly reference: string;
  readonly trackingNumber: string | undefined;
}

/** The tracking updates in one callback. */
export interface CarrierReport {
  readonly trackingNumber: string;
  readonly updates: readonly CarrierUpdate[];
}

/**
 * The port to a carrier. Every implementation passes `carrier-suite.ts`.
 *
 * `book` and `cancel` are idempotent by reference: a repeated call, for example after a crash that left the outcome of
 * the last one unknown, takes effect once and returns the same response. They throw if the outcome is unknown; the call
 * is then repeated later.
 */
export interface Carrier extends CallbackSource<CarrierReport> {
  /** Valid values of `shipment.carrier_service`. An empty value selects the carrier's default. */
  readonly services: readonly string[];
  /** Books a shipment. Refuses a reference that has been cancelled. */
  book(request: BookingRequest, signal: AbortSignal): Promise<BookingOutcome>;
  /** Cancels a shipment that has not been collected, even if its booking has not arrived yet and may still do so. */
  cancel(consignment: Consignment, signal: AbortSignal): Promise<CancelOutcome>;
  /** Returns all updates of the shipment so far, in no particular order. */
  track(consignment: Consignment, signal: AbortSignal): Promise<readonly CarrierUpdate[]>;
  /** Closes the connections to the carrier. Called once, after the last request. */
  close?(): void;
}
