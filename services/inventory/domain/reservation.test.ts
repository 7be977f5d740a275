import { expect, test } from "@jest/globals";
import {
  holdsExactly,
  reservationActions,
  reservationStates,
  sumPerSku,
  transition,
  unitsLeft,
} from "./reservation.ts";

test("every action in every state follows the diagram", () => {
  const table = reservationStates.map((state) => [
    state,
    ...reservationActions.map((action) => `${action}: ${transition(state, action)}`),
  ]);
  expect(table).toEqual([
    ["HELD", "reserve: stays", "commit: COMMITTED", "consume: refused", "release: RELEASED", "expire: EXPIRED"],
    ["COMMITTED", "reserve: stays", "commit: stays", "consume: CONSUMED", "release: RELEASED", "expire: refused"],
    ["CONSUMED", "reserve: stays", "commit: stays", "consume: refused", "release: stays", "expire: refused"],
    ["RELEASED", "reserve: refused", "commit: refused", "consume: refused", "release: stays", "expire: refused"],
    ["EXPIRED", "reserve: refused", "commit: refused", "consume: refused", "release: stays", "expire: stays"],
  ]);
});

test("lines of the same SKU are summed, and SKUs are in ascending order", () => {
  const lines = [
    { sku: "b", quantity: 2n },
    { sku: "a", quantity: 1n },
    { sku: "b", quantity: 3n },
  ];
  expect(sumPerSku(lines)).toEqual([
    { sku: "a", quantity: 1n },
    { sku: "b", quantity: 5n },
  ]);
});

test("units that have left the warehouse are not released", () => {
  const lines = [
    { sku: "a", quantity: 3n, consumed: 1n },
    { sku: "b", quantity: 2n, consumed: 2n },
  ];
  expect(unitsLeft(lines)).toEqual([{ sku: "a", quantity: 2n }]);
});

test("a reservation is compared with the requested quantities exactly", () => {
  const lines = [
    { sku: "a", quantity: 3n, consumed: 1n },
    { sku: "b", quantity: 2n, consumed: 0n },
  ];
  const asked = [
    { sku: "a", quantity: 3n },
    { sku: "b", quantity: 2n },
  ];
  expect(holdsExactly(lines, asked)).toBe(true);
  expect(holdsExactly(lines, asked.slice(0, 1))).toBe(false);
  expect(
    holdsExactly(lines, [
      { sku: "a", quantity: 3n },
      { sku: "b", quantity: 1n },
    ]),
  ).toBe(false);
});
