import type { ShipmentState } from "./shipment-state.ts";
import type { Progress } from "./tracking.ts";

/** Whether the carrier has taken the booking on. REFUSED also stands for: cancelled before it was booked. */
export type Booking = "PENDING" | "BOOKED" | "REFUSED";

/** So many units of one order line. */
export interface ShippedLine {
  readonly lineItemId: string;
  readonly sku: string;
  readonly quantity: number;
  /** Units that went back into stock when the shipment was closed; absent where none did. */
  readonly restocked?: number;
}

/** Where a shipment goes; copied from the order, so that a booking that is repeated stays the same. */
export interface Destination {
  readonly recipient: string;
  readonly addressLines: readonly string[];
  readonly locality: string;
  readonly administrativeArea: string;
  readonly postalCode: string;
  readonly regionCode: string;
}

/** The part of a tracking event that is not progress. */
export interface StoredTrackingEvent {
  readonly eventId: string;
  readonly state: ShipmentState | undefined;
  readonly status: string;
  readonly message: string;
  readonly location: string;
  readonly occurredAt: number;
}

/** A shipment as it is stored. Times are epoch milliseconds. */
export interface StoredShipment {
  readonly tenant: string;
  readonly id: string;
  /** The order's id; with `number` it makes the name `orders/{orderId}/shipments/{number}`. */
  readonly orderId: string;
  readonly number: string;
  readonly carrier: string;
  readonly carrierService: string;
  readonly lines: readonly ShippedLine[];
  readonly destination: Destination;
  readonly labels: Readonly<Record<string, string>>;
  readonly booking: Booking;
  readonly trackingNumber: string | undefined;
  readonly trackingUrl: string | undefined;
  readonly progress: Progress;
  /** Somebody has asked to cancel it, and the carrier has not answered yet. */
  readonly cancelRequested: boolean;
  /** The oldest first. */
  readonly events: readonly StoredTrackingEvent[];
  /** How often work on it was claimed; the fence of the last claim. */
  readonly attempt: number;
  /** How often in a row the carrier could not be asked. */
  readonly failures: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly version: number;
}

/** What CancelShipment means for a shipment now. */
export function cancellation(shipment: Pick<StoredShipment, "progress">): "cancelled" | "possible" | "too-late" {
  const { told, collected, closedAt } = shipment.progress;
  if (told.state === "CANCELLED") {
    return "cancelled";
  }
  return collected || closedAt !== undefined ? "too-late" : "possible";
}

/** Whether its goods are with the carrier or the customer, so that its order can no longer be cancelled. */
export function isUnderWay({ progress }: Pick<StoredShipment, "progress">): boolean {
  return progress.collected && !progress.decided && progress.told.state !== "RETURNED";
}

/** As what a shipment is closed. */
export type ClosingState = "LOST" | "RETURNED";

/**
 * What CloseShipment means for a shipment now: `closed` where it was closed so before, `not-collected` where it must be
 * cancelled instead.
 */
export type Closing = "possible" | "closed" | "closed-otherwise" | "not-collected" | "delivered" | "cancelled";

export function closing({ progress }: Pick<StoredShipment, "progress">, as: ClosingState): Closing {
  const { told, collected, closedAt } = progress;
  if (closedAt !== undefined) {
    return told.state === as ? "closed" : "closed-otherwise";
  }
  switch (told.state) {
    case "CANCELLED":
      return "cancelled";
    case "DELIVERED":
      return "delivered";
    case "PENDING":
    case "INFO_RECEIVED":
      return collected ? "possible" : "not-collected";
    default:
      return "possible";
  }
}
