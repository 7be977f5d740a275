import { expect, test } from "@jest/globals";
import { isCompilable } from "../../codec/compile.ts";
import { fuzzCodecs } from "./codecs.ts";
import { everyKind } from "./every-kind.ts";

test("a message with a field of every kind is compilable", () => {
  expect(everyKind().fields.length).toBeGreaterThan(150);
  expect(isCompilable(everyKind())).toBe(true);
});

test("the codecs match the library in results and acceptance for random messages, intact and mutated", () => {
  for (let seed = 1; seed <= 3; seed += 1) {
    expect(fuzzCodecs(seed, 500).comparisons).toBeGreaterThan(3000);
  }
});
