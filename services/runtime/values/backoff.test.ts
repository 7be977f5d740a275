import { expect, test } from "@jest/globals";
import { fullJitterMs } from "./backoff.ts";

const backoff = { initialMs: 100, maxMs: 1_000 };

test("the longest pause doubles with each failure until it reaches the most", () => {
  const longest = [1, 2, 3, 4, 5, 6, 2_000].map((failures) => fullJitterMs(failures, backoff, () => 1));
  expect(longest).toEqual([100, 200, 400, 800, 1_000, 1_000, 1_000]);
});

test("a pause is drawn evenly from nothing up to the longest", () => {
  expect(fullJitterMs(3, backoff, () => 0)).toBe(0);
  expect(fullJitterMs(3, backoff, () => 0.25)).toBe(100);
});
