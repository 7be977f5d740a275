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

const told = (state: CarrierUpdate["state"], occurredAt: number): CarrierUpdate => ({
  eventId: `${state}-${occurredAt}`,
  status: "word",
  state,
  message: "",
  location: "",
  occurredAt,
});

test("updates that are repeated and reordered end in the same progress", () => {
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

test("in whatever order a story comes, it is told to be collected and delivered at most once", () => {
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

test("nothing that comes late moves a shipment back from DELIVERED, and only a return moves it on", () => {
  const delivered = merge(beginning, told("DELIVERED", 3));
  // No carrier tells LOST: shipments are closed as such.
  for (const state of shipmentStates.filter((it) => it !== "LOST")) {
    const after = merge(delivered, told(state, 9)).told.state;
    expect(after).toBe(state === "RETURNED" ? "RETURNED" : "DELIVERED");
  }
});

test("a parcel that could not be handed over is out for delivery again", () => {
  const story = [told("OUT_FOR_DELIVERY", 1), told("ATTEMPT_FAILED", 2), told("OUT_FOR_DELIVERY", 3)];
  expect(story.reduce(merge, beginning).told.state).toBe("OUT_FOR_DELIVERY");
});

test("a jump from PENDING to DELIVERED is told as collected, changed and delivered, in this order", () => {
  expect(notices(beginning, merge(beginning, told("DELIVERED", 1)))).toEqual([
    "collected",
    "stateChanged",
    "delivered",
  ]);
});

test("a scan proves that a shipment was not cancelled by the carrier, in either order", () => {
  const scan = told("IN_TRANSIT", 1);
  const cancelled = told("CANCELLED", 2);
  expect([scan, cancelled].reduce(merge, beginning).told.state).toBe("IN_TRANSIT");
  expect([cancelled, scan].reduce(merge, beginning).told.state).toBe("IN_TRANSIT");
});

test("what we have cancelled stays cancelled", () => {
  const decided = { ...beginning, told: { state: "CANCELLED", at: 1, eventId: "x" }, decided: true } as const;
  expect(merge(decided, told("DELIVERED", 9))).toBe(decided);
});

test("a word that we do not know moves nothing", () => {
  expect(merge(beginning, told(undefined, 9))).toBe(beginning);
});
