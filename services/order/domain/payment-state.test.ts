import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { holdsMoney, isFunded, isSettled, noFunds, type PaymentState, paymentStateOf } from "./payment-state.ts";

const cases: readonly [
  name: string,
  total: bigint,
  authorized: bigint,
  captured: bigint,
  refunded: bigint,
  PaymentState,
][] = [
  ["nothing", 100n, 0n, 0n, 0n, "UNPAID"],
  ["a promise of less than the total", 100n, 99n, 0n, 0n, "UNPAID"],
  ["a promise of the total", 100n, 100n, 0n, 0n, "AUTHORIZED"],
  ["a part", 100n, 0n, 40n, 0n, "PARTIALLY_PAID"],
  ["a part and a promise of the rest", 100n, 60n, 40n, 0n, "PARTIALLY_PAID"],
  ["the total", 100n, 0n, 100n, 0n, "PAID"],
  ["more than the total", 100n, 0n, 120n, 0n, "OVERPAID"],
  ["more than the total, the rest given back", 100n, 0n, 120n, 20n, "PAID"],
  ["some given back", 100n, 0n, 100n, 1n, "PARTIALLY_REFUNDED"],
  ["all given back", 100n, 0n, 100n, 100n, "REFUNDED"],
  ["a part, given back", 100n, 0n, 40n, 40n, "REFUNDED"],
  ["nothing of nothing", 0n, 0n, 0n, 0n, "PAID"],
];

for (const [name, total, authorized, captured, refunded, state] of cases) {
  test(`${name} of ${total} is ${state}`, () => {
    expect(paymentStateOf(total, { authorized, captured, refunded })).toBe(state);
  });
}

test("an authorized order proceeds only with manual capture", () => {
  const funds = { ...noFunds, authorized: 100n };
  expect(isFunded(100n, funds, true)).toBe(true);
  expect(isFunded(100n, funds, false)).toBe(false);
});

test("PAID and OVERPAID are exactly the states in which an order of some price is funded by captured money", () => {
  const minor = fc.bigInt({ min: 1n, max: 1_000n });
  fc.assert(
    fc.property(minor, minor, minor, minor, (total, authorized, captured, part) => {
      const funds = { authorized, captured, refunded: part % (captured + 1n) };
      const state = paymentStateOf(total, funds);
      expect(isFunded(total, funds, false)).toBe(state === "PAID" || state === "OVERPAID");
    }),
  );
});

test("an order stays settled after a refund", () => {
  expect(isSettled(100n, { authorized: 0n, captured: 100n, refunded: 100n })).toBe(true);
  expect(isSettled(100n, { authorized: 100n, captured: 0n, refunded: 0n })).toBe(false);
});

test("money is held while it is authorized or not refunded", () => {
  expect(holdsMoney(noFunds)).toBe(false);
  expect(holdsMoney({ ...noFunds, authorized: 1n })).toBe(true);
  expect(holdsMoney({ authorized: 0n, captured: 2n, refunded: 1n })).toBe(true);
  expect(holdsMoney({ authorized: 0n, captured: 2n, refunded: 2n })).toBe(false);
});
