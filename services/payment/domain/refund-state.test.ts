import { expect, test } from "@jest/globals";
import { mergeRefundState, REFUND_STATES } from "./refund-state.ts";

test("every pair of states merges to the later one", () => {
  const merged = REFUND_STATES.map((current) => REFUND_STATES.map((heard) => mergeRefundState(current, heard)));
  expect(merged).toEqual([
    ["PENDING", "SUCCEEDED", "FAILED"],
    ["SUCCEEDED", "SUCCEEDED", "FAILED"],
    ["FAILED", "FAILED", "FAILED"],
  ]);
});

test("the order of reports does not matter", () => {
  for (const a of REFUND_STATES) {
    for (const b of REFUND_STATES) {
      for (const c of REFUND_STATES) {
        const forwards = [a, b, c].reduce(mergeRefundState);
        const backwards = [c, b, a].reduce(mergeRefundState);
        expect(forwards).toBe(backwards);
      }
    }
  }
});
