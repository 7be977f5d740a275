import { expect, test } from "@jest/globals";
import { resize } from "./resize.ts";

const line = (sku: string, quantity: bigint, consumed: bigint) => ({ sku, quantity, consumed });
const grow = { giveBackOnly: false };
const shrink = { giveBackOnly: true };

test("releases surplus units, but none that have left the warehouse", () => {
  expect(resize([line("TEA", 10n, 3n)], new Map([["TEA", 5n]]), shrink)).toEqual({
    quantities: [{ sku: "TEA", quantity: 5n }],
    more: [],
    less: [{ sku: "TEA", quantity: 5n }],
    state: "COMMITTED",
  });
  expect(resize([line("TEA", 10n, 3n)], new Map([["TEA", 1n]]), shrink)).toMatchObject({
    less: [{ sku: "TEA", quantity: 7n }],
    state: "CONSUMED",
  });
});

test("reserves more for units that are shipped again, unless `giveBackOnly` is set", () => {
  const lost = [line("PIE", 1n, 1n), line("TEA", 5n, 5n)];
  expect(resize(lost, new Map([["TEA", 10n]]), grow)).toEqual({
    quantities: [{ sku: "TEA", quantity: 10n }],
    more: [{ sku: "TEA", quantity: 5n }],
    less: [],
    state: "COMMITTED",
  });
  expect(resize(lost, new Map([["TEA", 10n]]), shrink)).toEqual({
    quantities: [],
    more: [],
    less: [],
    state: "CONSUMED",
  });
});
