import { expect, test } from "@jest/globals";
import { someOrder } from "../testing/some-order.ts";
import { isBacked, isUnpaidFor, lacksFunds, losesFunds } from "./funding.ts";
import type { Order } from "./order.ts";
import { orderStates } from "./order-state.ts";
import { type Funds, type PaymentState, paymentStateOf } from "./payment-state.ts";

interface Row {
  readonly state: PaymentState;
  readonly funds: Funds;
  /** Whether the order may be shipped, with automatic and with manual capture. */
  readonly ships: readonly [automatic: boolean, manual: boolean];
  /** Whether the order is or can still be paid after delivery, with automatic and with manual capture. */
  readonly pays: readonly [automatic: boolean, manual: boolean];
}

const row = (state: PaymentState, authorized: number, captured: number, refunded: number) => ({
  state,
  funds: { authorized: BigInt(authorized), captured: BigInt(captured), refunded: BigInt(refunded) },
});

/** Every payment state, with funds that distinguish its cases; the order's total is 900. */
const table: readonly Row[] = [
  { ...row("UNPAID", 0, 0, 0), ships: [false, false], pays: [false, false] },
  { ...row("UNPAID", 899, 0, 0), ships: [false, false], pays: [false, false] },
  { ...row("AUTHORIZED", 900, 0, 0), ships: [false, true], pays: [false, true] },
  { ...row("PARTIALLY_PAID", 0, 500, 0), ships: [false, false], pays: [false, false] },
  { ...row("PARTIALLY_PAID", 400, 500, 0), ships: [false, true], pays: [false, true] },
  { ...row("PAID", 0, 900, 0), ships: [true, true], pays: [true, true] },
  { ...row("OVERPAID", 0, 1_500, 0), ships: [true, true], pays: [true, true] },
  { ...row("PARTIALLY_REFUNDED", 0, 900, 899), ships: [true, true], pays: [true, true] },
  { ...row("PARTIALLY_REFUNDED", 0, 500, 100), ships: [false, false], pays: [false, false] },
  { ...row("REFUNDED", 0, 900, 900), ships: [false, false], pays: [true, true] },
  { ...row("REFUNDED", 0, 1_500, 1_500), ships: [false, false], pays: [true, true] },
];

for (const { state, funds, ships, pays } of table) {
  const { authorized, captured, refunded } = funds;
  test(`${state} by ${authorized} authorized, ${captured} captured and ${refunded} refunded decides what ships`, () => {
    expect(paymentStateOf(900n, funds)).toBe(state);
    for (const [index, capture] of (["AUTOMATIC", "MANUAL"] as const).entries()) {
      const order = someOrder({ capture, ...funds, paymentState: state });
      expect(isBacked(order)).toBe(ships[index]);
      expect(isUnpaidFor(order)).toBe(!pays[index]);
      for (const standing of orderStates) {
        expect(lacksFunds({ ...order, state: standing })).toBe(standing === "CONFIRMED" && !ships[index]);
      }
    }
  });
}

test("a free order needs no payment to be shipped", () => {
  expect(isBacked(someOrder({ total: 0n }))).toBe(true);
});

test("a loss of funds matters as long as something is left to ship", () => {
  const paid = someOrder({ state: "FULFILLING", captured: 900n });
  const lose = (shipped: number, more: Partial<Order> = {}) => {
    const lines = paid.lines.map((line) => ({ ...line, quantityShipped: shipped }));
    const before = { ...paid, lines, ...more };
    return losesFunds(before, { ...before, refunded: 900n });
  };
  expect(lose(1)).toBe(true);
  expect(lose(1, { state: "ON_HOLD", resume: "FULFILLING" })).toBe(true);
  expect(lose(2)).toBe(false);
  expect(lose(1, { state: "COMPLETED" })).toBe(false);
  expect(lose(1, { refunded: 900n })).toBe(false);
});
