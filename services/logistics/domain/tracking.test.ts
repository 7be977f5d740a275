import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { shipmentStates } from "./shipment-state.ts";
import { beginning, type CarrierUpdate, merge, notices } from "./tracking.ts";

const update = fc
  .record({
    state: fc.constantFrom(...shipmentStates, undefined),
    occurredAt: fc.integer({ min: 1, max: 5 }),
    eventId: fc.string({ minLength: 1, maxLength: 2 }),
  })
  .map((it): CarrierUpdate => ({ ...it, status: "word", message: "", location: "" }));
const story = fc.uniqueArray(update, { selector: (it) => it.eventId, maxLength: 10 });

const reported = (state: CarrierUpdate["state"], occurredAt: number): CarrierUpdate => ({
  eventId: `${state}-${occurredAt}`,
  status: "word",
  state,
  message: "",
  location: "",
  occurredAt,
});

test("repeated and reordered updates yield the same progress", () => {
  const shuffledAndRepeated = story.chain((updates) =>
    fc.tuple(
      fc.constant(updates),
      fc.shuffledSubarray([...updates, ...updates], { minLength: 2 * updates.length, maxLength: 2 * updates.length }),
    ),
  );
  fc.assert(
    fc.property(shuffledAndRepeated, ([updates, again]) => {
      expect(again.reduce(merge, beginning)).toEqual(updates.reduce(merge, beginning));
    }),
  );
});

test("in any order of updates, collection and delivery are published at most once", () => {
  fc.assert(
    fc.property(story, (updates) => {
      let progress = beginning;
      const all = updates.flatMap((it) => {
        const next = merge(progress, it);
        const found = notices(progress, next);
        progress = next;
        return found;
      });
      expect(all.filter((it) => it === "collected").length).toBe(progress.collected ? 1 : 0);
      expect(all.filter((it) => it === "delivered").length).toBeLessThanOrEqual(1);
    }),
  );
});

test("late updates never move a shipment back from DELIVERED, and only a return moves it forward", () => {
  const delivered = merge(beginning, reported("DELIVERED", 3));
  // No carrier reports LOST; it is an outcome of CloseShipment.
  for (const state of shipmentStates.filter((it) => it !== "LOST")) {
    const after = merge(delivered, reported(state, 9)).reported.state;
    expect(after).toBe(state === "RETURNED" ? "RETURNED" : "DELIVERED");
  }
});

test("a parcel can be out for delivery again after a failed attempt", () => {
  const story = [reported("OUT_FOR_DELIVERY", 1), reported("ATTEMPT_FAILED", 2), reported("OUT_FOR_DELIVERY", 3)];
  expect(story.reduce(merge, beginning).reported.state).toBe("OUT_FOR_DELIVERY");
});

test("a jump from PENDING to DELIVERED is published as collected, changed and delivered, in this order", () => {
  expect(notices(beginning, merge(beginning, reported("DELIVERED", 1)))).toEqual([
    "collected",
    "stateChanged",
    "delivered",
  ]);
});

test("a scan proves that a shipment was not cancelled by the carrier, in either order", () => {
  const scan = reported("IN_TRANSIT", 1);
  const cancelled = reported("CANCELLED", 2);
  expect([scan, cancelled].reduce(merge, beginning).reported.state).toBe("IN_TRANSIT");
  expect([cancelled, scan].reduce(merge, beginning).reported.state).toBe("IN_TRANSIT");
});

test("a shipment that Docket has cancelled stays cancelled", () => {
  const decided = { ...beginning, reported: { state: "CANCELLED", at: 1, eventId: "x" }, decided: true } as const;
  expect(merge(decided, reported("DELIVERED", 9))).toBe(decided);
});

test("an unknown carrier status has no effect", () => {
  expect(merge(beginning, reported(undefined, 9))).toBe(beginning);
});
