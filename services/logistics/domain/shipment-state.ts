/**
 * Where a shipment stands, by what its carrier has told.
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
 * Carriers repeat what they tell and tell it out of order, so a state is never "the next one": a shipment's state is the
 * greatest of all that was told, by rank, within a rank by the carrier's own time. That is the same in whatever order
 * the parts arrive, and it never goes back from DELIVERED. Within rank 3 a shipment moves freely: an attempt may fail and
 * the parcel be out for delivery again.
 *
 * CANCELLED stands below what needs the goods: where the carrier has scanned them, they were not cancelled. It is another
 * thing when we have cancelled a shipment, with the carrier's consent: then the state is decided, and nothing moves it. So
 * it is when somebody closes a shipment as RETURNED or as LOST, a state that no carrier tells.
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

/** `collected`: the carrier has, or had, the goods. `open`: more is to be expected. */
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

/** The place of a state among the others; see the diagram. */
export function rankOf(state: ShipmentState): number {
  return facts[state].rank;
}

/** Whether the carrier has collected a shipment that is, or was, in this state. */
export function meansCollected(state: ShipmentState): boolean {
  return facts[state].collected;
}

/** Whether more is to be expected from the carrier. */
export function isOpen(state: ShipmentState): boolean {
  return facts[state].open;
}

/** A state as it was told: what, when by the carrier's clock, and the carrier's id of the event. */
export interface ReportedState {
  readonly state: ShipmentState;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly eventId: string;
}

/** Negative, zero or positive: a total order over everything that can be told. */
export function compareReported(a: ReportedState, b: ReportedState): number {
  return (
    rankOf(a.state) - rankOf(b.state) ||
    a.at - b.at ||
    shipmentStates.indexOf(a.state) - shipmentStates.indexOf(b.state) ||
    (a.eventId < b.eventId ? -1 : a.eventId > b.eventId ? 1 : 0)
  );
}
