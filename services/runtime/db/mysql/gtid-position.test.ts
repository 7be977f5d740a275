import { expect, test } from "@jest/globals";
import { isGtidPosition, mergeGtidPositions } from "./gtid-position.ts";

test.each([
  ["", "0-1-5", "0-1-5"],
  ["0-1-5", "0-1-4", "0-1-5"],
  ["0-1-9", "0-2-10", "0-2-10"],
  ["0-1-5", "1-1-3", "0-1-5,1-1-3"],
  ["0-1-5,1-1-9", "1-1-3,0-3-6", "0-3-6,1-1-9"],
  ["0-1-9007199254740993", "0-1-9007199254740992", "0-1-9007199254740993"],
  ["0-1-5", "' or 1", "0-1-5"],
])("%s and %s are %s", (a, b, both) => {
  expect(mergeGtidPositions(a, b)).toBe(both);
});

test.each(["0-1", "0-1-x", "0-1-5,", "a-1-5", "0-1-5; select 1", Array(40).fill("0-1-5").join(",")])(
  "%s is no position",
  (text) => {
    expect(isGtidPosition(text)).toBe(false);
  },
);

test.each(["", "0-1-5", "0-1-5,12-34-567"])("%s is a position", (text) => {
  expect(isGtidPosition(text)).toBe(true);
});
