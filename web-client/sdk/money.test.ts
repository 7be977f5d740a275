import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatMoney, money } from "./money.ts";

describe("money", () => {
  test("reads decimals exactly", () => {
    expect(money("USD", "12.34")).toMatchObject({ currencyCode: "USD", units: 12n, nanos: 340_000_000 });
    expect(money("USD", "-0.05")).toMatchObject({ units: 0n, nanos: -50_000_000 });
    expect(money("JPY", "9007199254740993")).toMatchObject({ units: 9007199254740993n, nanos: 0 });
  });

  test.each(["", "1.", ".5", "1,5", "1e3", "0.1234567891", "NaN"])("refuses %p", (text) => {
    expect(() => money("USD", text)).toThrow(RangeError);
  });

  test("is written as it was read", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), fc.nat(99), (units, cents) => {
        const text = `${units}.${String(cents).padStart(2, "0")}`;
        expect(formatMoney(money("EUR", text))).toBe(text);
      }),
    );
  });
});
