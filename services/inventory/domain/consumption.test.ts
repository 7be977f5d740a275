import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { allocate, type CommittedReservation } from "./consumption.ts";
import { sumPerSku, unitsLeft } from "./reservation.ts";

test("a shipment consumes the oldest reservation first", () => {
  const reservations = [
    { id: "r-1", lines: [{ sku: "a", quantity: 2n, consumed: 1n }] },
    { id: "r-2", lines: [{ sku: "a", quantity: 5n, consumed: 0n }] },
  ];
  expect(allocate(reservations, [{ sku: "a", quantity: 3n }])).toEqual({
    from: [
      { id: "r-1", units: [{ sku: "a", quantity: 1n }], empties: true },
      { id: "r-2", units: [{ sku: "a", quantity: 2n }], empties: false },
    ],
    unreserved: [],
  });
});

test("unreserved units are reported separately", () => {
  expect(allocate([], [{ sku: "a", quantity: 3n }])).toEqual({
    from: [],
    unreserved: [{ sku: "a", quantity: 3n }],
  });
});

test("every unit is consumed exactly once, and no reservation gives more than it holds", () => {
  const sku = fc.constantFrom("a", "b", "c");
  const line = fc.record({ sku, quantity: fc.bigInt(1n, 9n), consumed: fc.constant(0n) });
  const lines = fc.uniqueArray(line, { selector: (it) => it.sku, maxLength: 3 });
  const reservations: fc.Arbitrary<CommittedReservation[]> = fc
    .array(lines, { maxLength: 4 })
    .map((all) => all.map((it, i) => ({ id: `r-${i}`, lines: it })));
  const shipped = fc.array(fc.record({ sku, quantity: fc.bigInt(1n, 20n) }), { maxLength: 5 });

  fc.assert(
    fc.property(reservations, shipped, (held, units) => {
      const { from, unreserved } = allocate(held, units);
      expect(sumPerSku([...from.flatMap((it) => it.units), ...unreserved])).toEqual(sumPerSku(units));
      for (const { id, units: taken, empties } of from) {
        const left = unitsLeft(held.find((it) => it.id === id)?.lines ?? []);
        for (const { sku: takenSku, quantity } of taken) {
          expect(left.find((it) => it.sku === takenSku)?.quantity ?? 0n).toBeGreaterThanOrEqual(quantity);
        }
        expect(empties).toBe(left.length === taken.length && left.every((it, i) => it.quantity === taken[i]?.quantity));
      }
    }),
  );
});
