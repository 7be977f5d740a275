import { expect, test } from "@jest/globals";
import { reasonOf } from "../../../runtime/errors.ts";
import { createExportSlots } from "./export-slots.ts";

const caller = (subject: string) => ({ tenant: "t1", kind: "api_key" as const, subject });
const never = new AbortController().signal;

function refusal(take: () => unknown) {
  try {
    take();
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

test("limits concurrent exports per caller and per process until they end", () => {
  const slots = createExportSlots({ perCaller: 2, perProcess: 3 });
  const release = slots.take(caller("a"), never);
  const leaving = new AbortController();
  slots.take(caller("a"), leaving.signal);
  expect(refusal(() => slots.take(caller("a"), never))).toBe("TOO_MANY_EXPORTS");
  slots.take(caller("b"), never);
  expect(refusal(() => slots.take(caller("c"), never))).toBe("TOO_MANY_EXPORTS");
  release();
  release();
  slots.take(caller("a"), never);
  expect(refusal(() => slots.take(caller("c"), never))).toBe("TOO_MANY_EXPORTS");
  leaving.abort();
  expect(refusal(() => slots.take(caller("c"), never))).toBeUndefined();
});
