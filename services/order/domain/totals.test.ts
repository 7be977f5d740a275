import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseDecimal } from "./decimal.ts";
import { discountAtRate, grossOf, lineTotal, totalsOf } from "./totals.ts";

describe("a discount by rate", () => {
  test.each([
    [1000n, "0.15", 150n],
    [333n, "0.5", 167n],
    [1n, "0.5", 1n],
    [1n, "0.499999", 0n],
    [1995n, "0.05", 100n],
    [0n, "1", 0n],
    [777n, "1.000", 777n],
    [777n, "0", 0n],
  ])("of %s at %s is %s, a half upwards", (gross, rate, discount) => {
    expect(discountAtRate(gross, rate)).toBe(discount);
  });

  test("never exceeds the line and is exact where possible", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 15n), fc.integer({ min: 0, max: 1_000_000 }), (gross, millionths) => {
        const rate = millionths === 1_000_000 ? "1" : `0.${String(millionths).padStart(6, "0")}`;
        const discount = discountAtRate(gross, rate);
        expect(discount).toBeGreaterThanOrEqual(0n);
        expect(discount).toBeLessThanOrEqual(gross);
        const error = discount * 1_000_000n - gross * BigInt(millionths);
        expect(error > -500_000n && error <= 500_000n).toBe(true);
      }),
    );
  });
});

describe("totals", () => {
  const lines = fc.array(
    fc
      .record({
        quantity: fc.integer({ min: 1, max: 1_000_000 }),
        unitPrice: fc.bigInt(0n, 10n ** 9n),
        share: fc.integer({ min: 0, max: 100 }),
      })
      .map(({ share, ...line }) => ({ ...line, discount: (grossOf(line) * BigInt(share)) / 100n })),
    { minLength: 1, maxLength: 20 },
  );

  test("add up: the lines' totals and the fee are the order's total", () => {
    fc.assert(
      fc.property(lines, fc.bigInt(0n, 10n ** 9n), (order, fee) => {
        const totals = totalsOf(order, fee);
        expect(totals?.total).toBe(order.reduce((sum, line) => sum + lineTotal(line), fee));
        expect(totals?.total).toBe((totals?.subtotal ?? 0n) - (totals?.discountTotal ?? 0n) + fee);
      }),
    );
  });

  test("do not depend on the order of the lines", () => {
    fc.assert(
      fc.property(lines, (order) => {
        expect(totalsOf(order.toReversed(), 0n)).toEqual(totalsOf(order, 0n));
      }),
    );
  });

  test("that exceed the column are rejected", () => {
    const line = { quantity: 1_000_000, unitPrice: 2n ** 62n, discount: 0n };
    expect(totalsOf([line], 0n)).toBeUndefined();
  });
});

test.each(["", ".5", "1.", "0.1234567", "-1", "1e2", "0,5"])("%j is not a decimal", (text) => {
  expect(parseDecimal(text)).toBeUndefined();
});
