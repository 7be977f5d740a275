import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { amountText, decimalOf, minorOfDecimal } from "./amount-text.ts";

test.each([
  ["EUR", 1230n, "12.30"],
  ["EUR", 5n, "0.05"],
  ["EUR", -5n, "-0.05"],
  ["JPY", 1200n, "1200"],
  ["KWD", 1n, "0.001"],
])("%s %s minor units are %s", (currency, minor, text) => {
  expect(decimalOf(currency, minor)).toBe(text);
  expect(amountText(currency, minor)).toBe(`${text} ${currency}`);
});

test("what is written can be read", () => {
  const currency = fc.constantFrom("EUR", "JPY", "KWD", "CLF");
  fc.assert(
    fc.property(currency, fc.bigInt(-(10n ** 15n), 10n ** 15n), (code, minor) => {
      expect(minorOfDecimal(code, decimalOf(code, minor))).toBe(minor);
    }),
  );
});

test.each([
  ["EUR", "1.5", 150n],
  ["EUR", "1.500", 150n],
  ["EUR", "1.505", undefined],
  ["JPY", "1.0", 1n],
  ["EUR", "1,5", undefined],
  ["EUR", "", undefined],
  ["EUR", ".5", undefined],
  ["XXX", "1", undefined],
])("of %s, %j is %s", (currency, text, minor) => {
  expect(minorOfDecimal(currency, text)).toBe(minor);
});
