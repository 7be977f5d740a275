import { compareReported, meansCollected, type ReportedState, type ShipmentState } from "./shipment-state.ts";

/** One thing that a carrier told of a shipment. */
export interface CarrierUpdate {
  /** The carrier's own id of it, unique within the shipment. */
  readonly eventId: string;
  /** The carrier's word for the state. */
  readonly status: string;
  /** What the word means; undefined for a word that we do not know, which is kept and moves nothing. */
  readonly state: ShipmentState | undefined;
  readonly message: string;
  readonly location: string;
  /** By the carrier's clock, epoch milliseconds. */
  readonly occurredAt: number;
}

/** What is known of a shipment's way. */
export interface Progress {
  /** The greatest of all that was told. */
  readonly told: ReportedState;
  /** Whether anything that was told means that the carrier has the goods. */
  readonly collected: boolean;
  /** The earliest time at which it was told to be delivered. */
  readonly deliveredAt: number | undefined;
  /** Whether it was cancelled by us, or closed: then nothing moves it any more. */
  readonly decided: boolean;
  /** When it was closed as lost or returned. */
  readonly closedAt: number | undefined;
}

/** Before anything was told. */
export const beginning: Progress = {
  told: { state: "PENDING", at: 0, eventId: "" },
  collected: false,
  deliveredAt: undefined,
  decided: false,
  closedAt: undefined,
};

/**
 * What is known after this was told too. The same updates give the same progress in any order and however often each of
 * them comes.
 */
export function merge(progress: Progress, update: CarrierUpdate): Progress {
  const { state, occurredAt: at, eventId } = update;
  if (progress.decided || state === undefined) {
    return progress;
  }
  const told = { state, at, eventId };
  return {
    ...progress,
    told: compareReported(told, progress.told) > 0 ? told : progress.told,
    collected: progress.collected || meansCollected(state),
    deliveredAt: state === "DELIVERED" ? Math.min(at, progress.deliveredAt ?? at) : progress.deliveredAt,
  };
}

/** What others must be told when a shipment goes from one progress to another, in this order. */
export type Notice = "collected" | "stateChanged" | "delivered" | "cancelled" | "closed";

export function notices(before: Progress, after: Progress): Notice[] {
  const changed = before.told.state !== after.told.state;
  const found: Notice[] = [];
  if (after.collected && !before.collected) {
    found.push("collected");
  }
  if (changed) {
    found.push("stateChanged");
  }
  if (changed && after.told.state === "DELIVERED") {
    found.push("delivered");
  }
  if (changed && after.told.state === "CANCELLED") {
    found.push("cancelled");
  }
  if (after.closedAt !== undefined && before.closedAt === undefined) {
    found.push("closed");
  }
  return found;
}
