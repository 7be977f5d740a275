import { expect, test } from "@jest/globals";
import { cancellation, closing, isUnderWay } from "./shipment.ts";
import { meansCollected, type ShipmentState, shipmentStates } from "./shipment-state.ts";
import { beginning } from "./tracking.ts";

/** A shipment of which this was told, collected or not. */
const shipment = (state: ShipmentState, collected = meansCollected(state), closedAt?: number) => ({
  progress: {
    ...beginning,
    told: { state, at: 1, eventId: "e" },
    collected,
    closedAt,
    decided: closedAt !== undefined,
  },
});

test("every shipment that has not come to its end can be cancelled or closed", () => {
  const ends: readonly ShipmentState[] = ["DELIVERED", "CANCELLED", "LOST"];
  for (const state of shipmentStates.filter((it) => !ends.includes(it))) {
    for (const collected of new Set([meansCollected(state), true])) {
      const it = shipment(state, collected);
      const ways = [cancellation(it), closing(it, "LOST"), closing(it, "RETURNED")];
      expect([state, collected, ways.includes("possible")]).toEqual([state, collected, true]);
    }
  }
});

test("a closed shipment stays as it was closed, and no longer keeps its order from being cancelled", () => {
  const lost = shipment("LOST", true, 2);
  expect([closing(lost, "LOST"), closing(lost, "RETURNED"), cancellation(lost)]).toEqual([
    "closed",
    "closed-otherwise",
    "too-late",
  ]);
  expect(isUnderWay(lost)).toBe(false);
  expect(isUnderWay(shipment("EXCEPTION", true))).toBe(true);
});

test("what the carrier has not collected is cancelled, not closed", () => {
  for (const state of ["PENDING", "INFO_RECEIVED"] as const) {
    expect([cancellation(shipment(state)), closing(shipment(state), "LOST")]).toEqual(["possible", "not-collected"]);
  }
});
