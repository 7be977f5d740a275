import { expect, test } from "@jest/globals";
import { compareReported, isOpen, meansCollected, rankOf, shipmentStates } from "./shipment-state.ts";

test("every state has a rank and says whether it means collected and whether it is open", () => {
  expect(shipmentStates.map((state) => `${rankOf(state)} ${state} ${meansCollected(state)} ${isOpen(state)}`)).toEqual([
    "0 PENDING false true",
    "1 INFO_RECEIVED false true",
    "2 CANCELLED false false",
    "3 EXPIRED false false",
    "3 EXCEPTION false true",
    "3 IN_TRANSIT true true",
    "3 ATTEMPT_FAILED true true",
    "3 PICKUP_READY true true",
    "3 OUT_FOR_DELIVERY true true",
    "4 RETURNING true true",
    "5 DELIVERED true false",
    "6 RETURNED true false",
    "7 LOST true false",
  ]);
});

test("within a rank, the state with the later carrier time is greater", () => {
  const failed = { state: "ATTEMPT_FAILED", at: 2000, eventId: "b" } as const;
  const out = { state: "OUT_FOR_DELIVERY", at: 3000, eventId: "a" } as const;
  expect(compareReported(failed, out)).toBeLessThan(0);
  expect(compareReported(out, failed)).toBeGreaterThan(0);
  expect(compareReported(out, out)).toBe(0);
});
