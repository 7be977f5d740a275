import { expect, test } from "@jest/globals";
import { requestIdOf } from "./request-id.ts";

const withHeader = (value?: string) => ({
  requestHeader: new Headers(value === undefined ? {} : { "idempotency-key": value }),
});

test.each([
  ["", undefined, undefined],
  ["a", undefined, "a"],
  ["", "a", "a"],
  ["", '"a b"', "a b"],
  ["a", '"a"', "a"],
])("the field %j with the header %j gives %j", (requestId, header, expected) => {
  expect(requestIdOf({ requestId }, withHeader(header))).toBe(expected);
});

test("a field and a header that differ are refused", () => {
  expect(() => requestIdOf({ requestId: "a" }, withHeader("b"))).toThrow("differs from the header");
});

test.each(["a".repeat(129), "a\n", " a", "ä"])("%j is no key", (requestId) => {
  expect(() => requestIdOf({ requestId }, withHeader())).toThrow("printable ASCII");
});
