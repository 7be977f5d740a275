import { expect, test } from "@jest/globals";
import { moveItem, type StoredItem } from "./item.ts";

const item: StoredItem = {
  ...{ tenant: "t", sku: "a", title: "A", prices: [], discontinued: false },
  stock: { onHand: 5n, reserved: 2n },
  ...{ createdAt: 1, updatedAt: 1, version: 7 },
};

test("a move updates both counts and increments the version", () => {
  const moved = moveItem(item, { sku: "a", onHandDelta: -1n, reservedDelta: -1n }, 9);

  expect(moved).toEqual({ ...item, stock: { onHand: 4n, reserved: 1n }, updatedAt: 9, version: 8 });
});

test.each([
  ["reserves more than there is", 0n, 4n, false],
  ["reserves all that there is", 0n, 3n, true],
  ["gives back more than is reserved", 0n, -3n, false],
  ["gives back all that is reserved", 0n, -2n, true],
  ["removes what is reserved", -4n, 0n, false],
  ["removes what is not reserved", -3n, 0n, true],
])("a move that %s", (_, onHandDelta, reservedDelta, possible) => {
  expect(moveItem(item, { sku: "a", onHandDelta, reservedDelta }, 9) !== undefined).toBe(possible);
});
