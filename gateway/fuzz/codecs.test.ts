import { expect, test } from "@jest/globals";
import { fuzzCodecs } from "./codecs.ts";

test("codecs equal the library in result and in acceptance for random messages, whole and changed", () => {
  for (let seed = 1; seed <= 3; seed += 1) {
    expect(fuzzCodecs(seed, 500).comparisons).toBeGreaterThan(3000);
  }
});
