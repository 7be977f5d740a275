import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { linesToShip, type WantedLine } from "./lines-to-ship.ts";

const ordered = [
  { id: "1", sku: "chai", quantity: 5 },
  { id: "2", sku: "chang", quantity: 2 },
];

test("all remaining units are shipped if no lines are named", () => {
  expect(linesToShip(ordered, [{ lineItemId: "1", quantity: 3 }], [])).toEqual({
    kind: "lines",
    lines: [
      { lineItemId: "1", sku: "chai", quantity: 2 },
      { lineItemId: "2", sku: "chang", quantity: 2 },
    ],
  });
});

test("nothing is left if all units are in shipments", () => {
  const shipped = ordered.map(({ id, quantity }) => ({ lineItemId: id, quantity }));
  expect(linesToShip(ordered, shipped, [])).toEqual({ kind: "nothing-left" });
});

test("every line that exceeds its remaining quantity is reported, with the remainder", () => {
  const wanted = [
    { lineItemId: "1", quantity: 6 },
    { lineItemId: "2", quantity: 3 },
  ];
  expect(linesToShip(ordered, [{ lineItemId: "2", quantity: 1 }], wanted)).toEqual({
    kind: "too-many",
    excesses: [
      { lineItemId: "1", sku: "chai", wanted: 6, left: 5 },
      { lineItemId: "2", sku: "chang", wanted: 3, left: 1 },
    ],
  });
});

test("lines that the order does not have are reported", () => {
  expect(linesToShip(ordered, [], [{ lineItemId: "9", quantity: 1 }])).toEqual({ kind: "unknown", lineItemIds: ["9"] });
});

test("no sequence of shipments exceeds the quantity of a line", () => {
  const line = fc.record({ lineItemId: fc.constantFrom("1", "2"), quantity: fc.integer({ min: 1, max: 4 }) });
  const wishes = fc.array(fc.uniqueArray(line, { selector: (it) => it.lineItemId, maxLength: 2 }), { maxLength: 8 });
  fc.assert(
    fc.property(wishes, (all) => {
      const shipped: WantedLine[] = [];
      for (const wanted of all) {
        const decision = linesToShip(ordered, shipped, wanted);
        if (decision.kind === "lines") {
          shipped.push(...decision.lines);
        }
      }
      for (const { id, quantity } of ordered) {
        const sum = shipped.filter((it) => it.lineItemId === id).reduce((total, it) => total + it.quantity, 0);
        expect(sum).toBeLessThanOrEqual(quantity);
      }
    }),
  );
});
