import { compareReported, meansCollected, type ReportedState, type ShipmentState } from "./shipment-state.ts";

/** A tracking update from the carrier. */
export interface CarrierUpdate {
  /** The carrier's event id, unique within the shipment. */
  readonly eventId: string;
  /** The carrier's status code. */
  readonly status: string;
  /** The state that the status maps to; undefined for an unknown status, which is stored and has no effect. */
  readonly state: ShipmentState | undefined;
  readonly message: string;
  readonly location: string;
  /** By the carrier's clock, epoch milliseconds. */
  readonly occurredAt: number;
}

/** The accumulated tracking progress of a shipment. */
export interface Progress {
  /** The greatest report so far, by `compareReported`. */
  readonly reported: ReportedState;
  /** Whether any report implies that the carrier has collected the goods. */
  readonly collected: boolean;
  /** The earliest reported time of delivery, epoch milliseconds. */
  readonly deliveredAt: number | undefined;
  /** Whether Docket has cancelled or closed the shipment. Further updates are then ignored. */
  readonly decided: boolean;
  /** When the shipment was closed as lost or returned, epoch milliseconds. */
  readonly closedAt: number | undefined;
}

/** Progress before the first report. */
export const beginning: Progress = {
  reported: { state: "PENDING", at: 0, eventId: "" },
  collected: false,
  deliveredAt: undefined,
  decided: false,
  closedAt: undefined,
};

/**
 * Merges an update into the progress. Commutative and idempotent: the same set of updates yields the same progress in
 * any order and with any repetition.
 */
export function merge(progress: Progress, update: CarrierUpdate): Progress {
  const { state, occurredAt: at, eventId } = update;
  if (progress.decided || state === undefined) {
    return progress;
  }
  const reported = { state, at, eventId };
  return {
    ...progress,
    reported: compareReported(reported, progress.reported) > 0 ? reported : progress.reported,
    collected: progress.collected || meansCollected(state),
    deliveredAt: state === "DELIVERED" ? Math.min(at, progress.deliveredAt ?? at) : progress.deliveredAt,
  };
}

/** A change that must be published. */
export type Notice = "collected" | "stateChanged" | "delivered" | "cancelled" | "closed";

/** Returns the changes between two progresses, in the order in which they must be published. */
export function notices(before: Progress, after: Progress): Notice[] {
  const changed = before.reported.state !== after.reported.state;
  const found: Notice[] = [];
  if (after.collected && !before.collected) {
    found.push("collected");
  }
  if (changed) {
    found.push("stateChanged");
  }
  if (changed && after.reported.state === "DELIVERED") {
    found.push("delivered");
  }
  if (changed && after.reported.state === "CANCELLED") {
    found.push("cancelled");
  }
  if (after.closedAt !== undefined && before.closedAt === undefined) {
    found.push("closed");
  }
  return found;
}
