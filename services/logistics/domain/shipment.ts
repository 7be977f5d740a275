import type { ShipmentState } from "./shipment-state.ts";
import type { Progress } from "./tracking.ts";

/** Status of the booking with the carrier. REFUSED includes a cancellation before the booking. */
export type Booking = "PENDING" | "BOOKED" | "REFUSED";

/** Units of one order line in a shipment. */
export interface ShippedLine {
  readonly lineItemId: string;
  readonly sku: string;
  readonly quantity: number;
  /** Units returned to stock when the shipment was closed; absent if none. */
  readonly restocked?: number;
}

/** The delivery address. Copied from the order so that a repeated booking is identical. */
export interface Destination {
  readonly recipient: string;
  readonly addressLines: readonly string[];
  readonly locality: string;
  readonly administrativeArea: string;
  readonly postalCode: string;
  readonly regionCode: string;
}

/** A tracking event in the shipment's history. */
export interface StoredTrackingEvent {
  readonly eventId: string;
  readonly state: ShipmentState | undefined;
  readonly status: string;
  readonly message: string;
  readonly location: string;
  readonly occurredAt: number;
}

/** A stored shipment. Times are epoch milliseconds. */
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
  /** A cancellation was requested, and the carrier has not responded yet. */
  readonly cancelRequested: boolean;
  /** Ordered from oldest to newest. */
  readonly events: readonly StoredTrackingEvent[];
  /** Number of claims of the shipment. Serves as fencing token: only the latest claim may write. */
  readonly attempt: number;
  /** Consecutive failed carrier calls. */
  readonly failures: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly version: number;
}

/** Returns whether the shipment can still be cancelled. */
export function cancellation(shipment: Pick<StoredShipment, "progress">): "cancelled" | "possible" | "too-late" {
  const { reported, collected, closedAt } = shipment.progress;
  if (reported.state === "CANCELLED") {
    return "cancelled";
  }
  return collected || closedAt !== undefined ? "too-late" : "possible";
}

/** Returns whether the carrier or the customer has the goods, so that the order can no longer be cancelled. */
export function isUnderWay({ progress }: Pick<StoredShipment, "progress">): boolean {
  return progress.collected && !progress.decided && progress.reported.state !== "RETURNED";
}

/** Final state of a closed shipment. */
export type ClosingState = "LOST" | "RETURNED";

/**
 * Whether a shipment can be closed. `closed`: already closed with the same outcome. `closed-otherwise`: closed with the
 * other outcome. `not-collected`: it must be cancelled instead.
 */
export type Closing = "possible" | "closed" | "closed-otherwise" | "not-collected" | "delivered" | "cancelled";

export function closing({ progress }: Pick<StoredShipment, "progress">, as: ClosingState): Closing {
  const { reported, collected, closedAt } = progress;
  if (closedAt !== undefined) {
    return reported.state === as ? "closed" : "closed-otherwise";
  }
  switch (reported.state) {
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
