import { create } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { MoneySchema } from "../../../gen/google/type/money_pb.js";
import { exponentOf, parseMoney, roundHalfUp, toMoney } from "./money.ts";

const minor = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const currency = fc.constantFrom("EUR", "JPY", "KWD", "CLF", "USD");

function money(currencyCode: string, units: bigint, nanos = 0) {
  return create(MoneySchema, { currencyCode, units, nanos });
}

test("any amount is the same after the way to Money and back", () => {
  fc.assert(
    fc.property(currency, minor, (code, value) => {
      expect(parseMoney(toMoney({ currency: code, minor: value }))).toEqual({ currency: code, minor: value });
    }),
  );
});

test("Money of an amount has units and nanos of one sign, and nanos below one unit", () => {
  fc.assert(
    fc.property(currency, minor, (code, value) => {
      const { units, nanos } = toMoney({ currency: code, minor: value });
      expect(Math.abs(nanos)).toBeLessThan(1_000_000_000);
      expect(units > 0n && nanos < 0).toBe(false);
      expect(units < 0n && nanos > 0).toBe(false);
    }),
  );
});

test.each([
  ["EUR", 12n, 340_000_000, 1234n],
  ["EUR", -12n, -340_000_000, -1234n],
  ["EUR", 0n, -10_000_000, -1n],
  ["JPY", 12n, 0, 12n],
  ["KWD", 1n, 1_000_000, 1001n],
  ["CLF", 1n, 100_000, 10_001n],
])("%s %s units and %s nanos are %s minor units", (code, units, nanos, expected) => {
  expect(parseMoney(money(code, units, nanos))).toEqual({ currency: code, minor: expected });
});

test.each([
  ["an unknown currency", money("XXX", 1n)],
  ["a currency in lower case", money("eur", 1n)],
  ["no currency", money("", 1n)],
  ["a fraction finer than the minor unit", money("EUR", 1n, 5_000_000)],
  ["any fraction of a yen", money("JPY", 1n, 500_000_000)],
  ["nanos of another sign", money("EUR", 1n, -10_000_000)],
  ["nanos of a whole unit", money("EUR", 1n, 1_000_000_000)],
  ["more minor units than 64 bits", money("EUR", 2n ** 63n / 100n + 1n)],
])("%s is no amount", (_, value) => {
  expect(parseMoney(value)).toBeUndefined();
});

test("an amount of no currency cannot become Money", () => {
  expect(() => toMoney({ currency: "XAU", minor: 1n })).toThrow(RangeError);
});

test("names that every object has are no currencies", () => {
  expect(exponentOf("constructor")).toBeUndefined();
});

test("rounding goes to the nearest integer, a half away from zero", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.bigInt({ min: 1n, max: 10n ** 9n }), (n, d) => {
      const rounded = roundHalfUp(n, d);
      const twiceDistance = 2n * (n - rounded * d);
      expect(twiceDistance <= d && twiceDistance >= -d).toBe(true);
      expect(roundHalfUp(-n, d)).toBe(-rounded);
    }),
  );
  expect([roundHalfUp(5n, 10n), roundHalfUp(-5n, 10n), roundHalfUp(49n, 100n)]).toEqual([1n, -1n, 0n]);
});

test("rounding needs a positive denominator", () => {
  expect(() => roundHalfUp(1n, 0n)).toThrow(RangeError);
});
