import { expect, test } from "@jest/globals";
import { cancellation, closing, isUnderWay } from "./shipment.ts";
import { meansCollected, type ShipmentState, shipmentStates } from "./shipment-state.ts";
import { beginning } from "./tracking.ts";

/** A shipment with this reported state, collected or not. */
const shipment = (state: ShipmentState, collected = meansCollected(state), closedAt?: number) => ({
  progress: {
    ...beginning,
    reported: { state, at: 1, eventId: "e" },
    collected,
    closedAt,
    decided: closedAt !== undefined,
  },
});

test("every shipment that is not in a final state can be cancelled or closed", () => {
  const ends: readonly ShipmentState[] = ["DELIVERED", "CANCELLED", "LOST"];
  for (const state of shipmentStates.filter((it) => !ends.includes(it))) {
    for (const collected of new Set([meansCollected(state), true])) {
      const it = shipment(state, collected);
      const ways = [cancellation(it), closing(it, "LOST"), closing(it, "RETURNED")];
      expect([state, collected, ways.includes("possible")]).toEqual([state, collected, true]);
    }
  }
});

test("a closed shipment keeps its outcome, and no longer prevents its order's cancellation", () => {
  const lost = shipment("LOST", true, 2);
  expect([closing(lost, "LOST"), closing(lost, "RETURNED"), cancellation(lost)]).toEqual([
    "closed",
    "closed-otherwise",
    "too-late",
  ]);
  expect(isUnderWay(lost)).toBe(false);
  expect(isUnderWay(shipment("EXCEPTION", true))).toBe(true);
});

test("a shipment that has not been collected is cancelled, not closed", () => {
  for (const state of ["PENDING", "INFO_RECEIVED"] as const) {
    expect([cancellation(shipment(state)), closing(shipment(state), "LOST")]).toEqual(["possible", "not-collected"]);
  }
});
