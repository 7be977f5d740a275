import type { CallbackSource } from "../../runtime/callbacks/callback-source.ts";
import type { Destination, ShippedLine } from "../domain/shipment.ts";
import type { CarrierUpdate } from "../domain/tracking.ts";

/** What is to be carried. */
export interface BookingRequest {
  /** The shipment's resource name: the idempotency key, and the name under which the carrier knows the shipment as ours. */
  readonly reference: string;
  /** The carrier's service, for example `standard`; empty for its default. */
  readonly service: string;
  readonly destination: Destination;
  readonly lines: readonly ShippedLine[];
}

export type BookingAnswer =
  | { readonly kind: "booked"; readonly trackingNumber: string; readonly trackingUrl: string }
  | { readonly kind: "refused"; readonly reason: string };

export type CancelAnswer = { readonly kind: "cancelled" } | { readonly kind: "too-late"; readonly reason: string };

/** One shipment at the carrier. The tracking number is missing while it is not known whether a booking arrived. */
export interface Consignment {
  readonly reference: string;
  readonly trackingNumber: string | undefined;
}

/** What a carrier tells of one of its shipments. */
export interface CarrierReport {
  readonly trackingNumber: string;
  readonly updates: readonly CarrierUpdate[];
}

/**
 * The port to a carrier. Every implementation passes `carrier-suite.ts`.
 *
 * `book` and `cancel` may be called again and again with the same reference, also after a crash when nobody knows whether
 * the last call arrived: they have their effect once and give the same answer. Throwing means that the outcome is not
 * known, and the call is repeated later.
 */
export interface Carrier extends CallbackSource {
  /** What `shipment.carrier_service` can name; none stands for the carrier's default. */
  readonly services: readonly string[];
  /** Books a shipment. A reference that was cancelled before is refused. */
  book(request: BookingRequest, signal: AbortSignal): Promise<BookingAnswer>;
  /** Cancels a shipment that was not collected, also one whose booking has not arrived and may still arrive. */
  cancel(consignment: Consignment, signal: AbortSignal): Promise<CancelAnswer>;
  /** Everything that is known of the shipment by now, in no particular order. */
  track(consignment: Consignment, signal: AbortSignal): Promise<readonly CarrierUpdate[]>;
  /** What a verified body says. Throws where it cannot be read. */
  read(body: Uint8Array): CarrierReport;
}
