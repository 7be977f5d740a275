import { expect, test } from "@jest/globals";
import { redactFilter } from "./filter-redaction.ts";

test.each([
  ["", ""],
  ['sku = "TEA" OR state=PAID', 'sku = "TEA" OR state=PAID'],
  ['customer.id="ada" AND sku = "TEA"', 'customer.id="[redacted]" AND sku = "TEA"'],
  [
    "NOT (labels.a:x OR customer.id = (a OR b*))",
    'NOT (labels.a:"[redacted]" OR customer.id = ("[redacted]" OR "[redacted]"))',
  ],
  ['sku = "customer.id=x"', 'sku = "customer.id=x"'],
])("%s is kept as %s", (filter, kept) => {
  expect(redactFilter(filter, ["customer", "labels"])).toBe(kept);
});
