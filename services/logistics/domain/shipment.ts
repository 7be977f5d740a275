import type { ShipmentState } from "./shipment-state.ts";
import { beginning, type Progress } from "./tracking.ts";

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
  readonly receivedAt: number;
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
  /** When Docket cancelled the shipment; undefined if it did not. */
  readonly cancelledAt: number | undefined;
  /** A cancellation was requested, and the carrier has not responded yet. */
  readonly cancelRequested: boolean;
  /** Ordered from oldest to newest. */
  readonly events: readonly StoredTrackingEvent[];
  /** When the next carrier call is due, by the database's clock; undefined for none. */
  readonly dueAt: number | undefined;
  /** Number of claims of the shipment. Serves as fencing token: only the latest claim may write. */
  readonly attempt: number;
  /** Consecutive failed carrier calls. */
  readonly failures: number;
  /** The W3C trace context of the call that created it, which its carrier calls continue. */
  readonly traceparent: string | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly version: number;
}

/** Creates a shipment that is due for booking. */
export function newShipment(
  it: Pick<
    StoredShipment,
    | ("tenant" | "id" | "orderId" | "number" | "carrier" | "carrierService")
    | ("lines" | "destination" | "labels" | "dueAt" | "traceparent" | "createdAt")
  >,
): StoredShipment {
  return {
    ...it,
    lines: it.lines.toSorted(byLineItem),
    booking: "PENDING",
    trackingNumber: undefined,
    trackingUrl: undefined,
    progress: beginning,
    cancelledAt: undefined,
    cancelRequested: false,
    events: [],
    attempt: 0,
    failures: 0,
    updatedAt: it.createdAt,
    version: 1,
  };
}

/** Compares line ids numerically: they count from 1, so the shorter one is smaller. */
export function byLineItem(a: ShippedLine, b: ShippedLine): number {
  return a.lineItemId.length - b.lineItemId.length || (a.lineItemId < b.lineItemId ? -1 : 1);
}

/** Returns the units in shipments that are neither cancelled nor closed, by line. */
export function shippedOf(shipments: readonly StoredShipment[]): ShippedLine[] {
  return shipments
    .filter(({ progress }) => progress.reported.state !== "CANCELLED" && progress.closedAt === undefined)
    .flatMap(({ lines }) => lines);
}

/** A change of a shipment. Fields that are absent stay as they are. */
export type ShipmentChange = Partial<
  Pick<
    StoredShipment,
    | "booking"
    | "trackingNumber"
    | "trackingUrl"
    | "cancelRequested"
    | "failures"
    | "dueAt"
    | "lines"
    | "events"
    | "progress"
  >
>;

/** Changes a shipment and increments its version. */
export function changed(shipment: StoredShipment, change: ShipmentChange, updatedAt: number): StoredShipment {
  const after = { ...shipment, ...change, updatedAt, version: shipment.version + 1 };
  const { decided, closedAt } = after.progress;
  const isCancelled = decided && closedAt === undefined && !shipment.progress.decided;
  return isCancelled ? { ...after, cancelledAt: updatedAt } : after;
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
