import { expect, test } from "@jest/globals";
import { fuzzMatcher } from "./matcher.ts";

test("the trie matches a brute-force matcher for random rules and URLs", () => {
  expect(fuzzMatcher(1, 50_000)).toBeGreaterThanOrEqual(50_000);
});
