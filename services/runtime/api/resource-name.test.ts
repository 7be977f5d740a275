import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatName, parseName } from "./resource-name.ts";

const PAYMENT = "orders/{order}/payments/{payment}";

test("a name is read back from what its values gave", () => {
  const segment = fc.string({ minLength: 1, maxLength: 40 }).filter((text) => !text.includes("/"));
  fc.assert(
    fc.property(segment, segment, (order, payment) => {
      expect(parseName(PAYMENT, formatName(PAYMENT, { order, payment }))).toEqual({ order, payment });
    }),
  );
});

test("the wildcard is a value", () => {
  expect(parseName("orders/{order}", "orders/-")).toEqual({ order: "-" });
});

test.each([
  "",
  "orders",
  "orders/",
  "orders/a/payments",
  "orders/a/refunds/b",
  "orders/a/payments/b/",
  "/orders/a/payments/b",
])("%j is not the name of a payment", (name) => {
  expect(parseName(PAYMENT, name)).toBeUndefined();
});

test("a segment of more than 255 characters is no name", () => {
  expect(parseName("orders/{order}", `orders/${"a".repeat(256)}`)).toBeUndefined();
});

test.each(["", "a/b"])("%j cannot be a value in a name", (order) => {
  expect(() => formatName("orders/{order}", { order })).toThrow(RangeError);
});
