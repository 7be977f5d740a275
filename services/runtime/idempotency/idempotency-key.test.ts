import { createContextValues } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { type Principal, principalKey } from "../context-values.ts";
import { idempotencyKeyOf } from "./idempotency-key.ts";

const shop = { kind: "api_key", tenant: "acme", subject: "apiKeys/1", scopes: new Set<string>() } as const;

const withHeader = (value?: string, principal: Principal = shop) => ({
  requestHeader: new Headers(value === undefined ? {} : { "idempotency-key": value }),
  values: createContextValues().set(principalKey, principal),
});

test.each([
  ["", undefined, undefined],
  ["a", undefined, "a"],
  ["", "a", "a"],
  ["", '"a b"', "a b"],
  ["a", '"a"', "a"],
])("the field %j with the header %j gives %j", (requestId, header, expected) => {
  expect(idempotencyKeyOf({ requestId }, withHeader(header))?.id).toBe(expected);
});

test("a key belongs to its caller, and those of services to their tenant", () => {
  expect(idempotencyKeyOf({ requestId: "a" }, withHeader())?.caller).toBe("api_key:apiKeys/1");
  expect(idempotencyKeyOf({ requestId: "a" }, withHeader(undefined, { ...shop, kind: "service" }))?.caller).toBe("");
});

test("a field and a header that differ are refused", () => {
  expect(() => idempotencyKeyOf({ requestId: "a" }, withHeader("b"))).toThrow("differs from the header");
});

test.each(["", "  ", '""', '" "'])("a blank header, %j, is refused", (header) => {
  expect(() => idempotencyKeyOf({ requestId: "" }, withHeader(header))).toThrow("must not be blank");
});

test.each(["a".repeat(129), "a\n", " a", "ä"])("%j is no key", (requestId) => {
  expect(() => idempotencyKeyOf({ requestId }, withHeader())).toThrow("printable ASCII");
});
