import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { cancelLines } from "./cancel-lines.ts";
import type { OrderLine } from "./order.ts";
import { shareOf } from "./totals.ts";

const line = (id: string, quantity: number, total: bigint, quantityCancelled = 0): OrderLine => ({
  id,
  sku: "TEA",
  title: "Tea",
  quantity,
  unitPrice: 1n,
  discount: 0n,
  discountRate: "",
  total,
  quantityShipped: 0,
  quantityDelivered: 0,
  quantityCancelled,
});
const none = new Map<string, number>();

test("a cancelled unit deducts its share of the line's discounted total, rounded half up", () => {
  const lines = [line("1", 3, 1000n), line("2", 1, 500n)];
  expect(cancelLines(lines, none, [{ lineId: "1", quantity: 1 }])).toMatchObject({ kind: "cancelled", amount: 333n });
  expect(cancelLines(lines, none, [{ lineId: "1", quantity: 2 }])).toMatchObject({ amount: 667n });
  const rest = cancelLines([line("1", 3, 1000n, 1), line("2", 1, 500n)], none, [{ lineId: "1", quantity: 2 }]);
  expect(rest).toMatchObject({ amount: 667n, lines: [{ quantityCancelled: 3 }, { quantityCancelled: 0 }] });
});

test("partial cancellations add up to the line's total", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10n ** 12n }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (total, parts) => {
        let lines = [
          line(
            "1",
            parts.reduce((sum, part) => sum + part, 0),
            total,
          ),
          line("2", 1, 1n),
        ];
        let sum = 0n;
        for (const quantity of parts) {
          const cancelled = cancelLines(lines, none, [{ lineId: "1", quantity }]);
          if (cancelled.kind !== "cancelled") {
            throw new Error(cancelled.kind);
          }
          expect(cancelled.amount >= 0n).toBe(true);
          lines = [...cancelled.lines];
          sum += cancelled.amount;
        }
        expect(sum).toBe(total);
        expect(shareOf({ total, quantity: 1 }, 1)).toBe(total);
      },
    ),
  );
});

test("only units that are in no shipment can be cancelled, and not all of them", () => {
  const lines = [line("1", 3, 900n, 1)];
  expect(cancelLines(lines, new Map([["1", 1]]), [{ lineId: "1", quantity: 2 }])).toEqual({
    kind: "too-many",
    excesses: [{ lineId: "1", wanted: 2, left: 1 }],
  });
  expect(cancelLines(lines, none, [{ lineId: "1", quantity: 2 }])).toEqual({ kind: "nothing-left" });
  expect(cancelLines(lines, none, [{ lineId: "7", quantity: 1 }])).toEqual({ kind: "unknown", lineIds: ["7"] });
});
