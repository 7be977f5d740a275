/**
 * The state of a shipment, derived from its carrier's reports.
 *
 * ```
 *   rank 0     1                2            3                   4            5            6
 *   PENDING ─▶ INFO_RECEIVED ─▶ CANCELLED    IN_TRANSIT       ─▶ RETURNING ─▶ DELIVERED ─▶ RETURNED
 *        │           │             │         OUT_FOR_DELIVERY
 *        └───────────┴─────────────┴───────▶ PICKUP_READY
 *                                            ATTEMPT_FAILED
 *                                            EXCEPTION
 *                                            EXPIRED
 * ```
 *
 * Carriers repeat reports and send them out of order, so a shipment's state is not the latest report but the greatest
 * one: by rank, and within a rank by the carrier's time. The result does not depend on the order of arrival, and never
 * goes back from DELIVERED. Within rank 3 a shipment moves freely: after a failed attempt the parcel can be out for
 * delivery again.
 *
 * CANCELLED ranks below the states that imply possession of the goods: a carrier's scan proves that the shipment was
 * not cancelled. A cancellation by Docket, which the carrier has confirmed, is different: it is final, and later
 * reports are ignored. The same applies to CloseShipment, as RETURNED or as LOST. No carrier reports LOST.
 */
export const shipmentStates = [
  "PENDING",
  "INFO_RECEIVED",
  "CANCELLED",
  "EXPIRED",
  "EXCEPTION",
  "IN_TRANSIT",
  "ATTEMPT_FAILED",
  "PICKUP_READY",
  "OUT_FOR_DELIVERY",
  "RETURNING",
  "DELIVERED",
  "RETURNED",
  "LOST",
] as const;
export type ShipmentState = (typeof shipmentStates)[number];

/** `collected`: the carrier has, or had, the goods. `open`: further reports are expected. */
interface StateFacts {
  readonly rank: number;
  readonly collected: boolean;
  readonly open: boolean;
}

const facts = {
  PENDING: { rank: 0, collected: false, open: true },
  INFO_RECEIVED: { rank: 1, collected: false, open: true },
  CANCELLED: { rank: 2, collected: false, open: false },
  EXPIRED: { rank: 3, collected: false, open: false },
  EXCEPTION: { rank: 3, collected: false, open: true },
  IN_TRANSIT: { rank: 3, collected: true, open: true },
  ATTEMPT_FAILED: { rank: 3, collected: true, open: true },
  PICKUP_READY: { rank: 3, collected: true, open: true },
  OUT_FOR_DELIVERY: { rank: 3, collected: true, open: true },
  RETURNING: { rank: 4, collected: true, open: true },
  DELIVERED: { rank: 5, collected: true, open: false },
  RETURNED: { rank: 6, collected: true, open: false },
  LOST: { rank: 7, collected: true, open: false },
} satisfies Record<ShipmentState, StateFacts>;

/** Returns the rank of a state; see the diagram. */
export function rankOf(state: ShipmentState): number {
  return facts[state].rank;
}

/** Returns whether a shipment that is, or was, in this state has been collected. */
export function meansCollected(state: ShipmentState): boolean {
  return facts[state].collected;
}

/** Returns whether further reports are expected from the carrier. */
export function isOpen(state: ShipmentState): boolean {
  return facts[state].open;
}

/** A state reported by the carrier, with the carrier's time and event id. */
export interface ReportedState {
  readonly state: ShipmentState;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly eventId: string;
}

/** Compares two reports; a total order. Returns a negative number, zero or a positive number. */
export function compareReported(a: ReportedState, b: ReportedState): number {
  return (
    rankOf(a.state) - rankOf(b.state) ||
    a.at - b.at ||
    shipmentStates.indexOf(a.state) - shipmentStates.indexOf(b.state) ||
    (a.eventId < b.eventId ? -1 : a.eventId > b.eventId ? 1 : 0)
  );
}
