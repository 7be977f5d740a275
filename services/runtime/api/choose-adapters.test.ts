import { expect, test } from "@jest/globals";
import { chooseAdapters } from "./choose-adapters.ts";

const table = {
  stripe: (prefix: string) => `${prefix} stripe`,
  sandbox: (prefix: string) => `${prefix} sandbox`,
};

test("the chosen adapters are created once each, in the chosen order", () => {
  expect(chooseAdapters(table, ["sandbox", "stripe", "sandbox"], "payment provider", "a")).toEqual([
    "a sandbox",
    "a stripe",
  ]);
});

test.each(["paypal", "constructor"])("the unknown name %s is refused with the names that exist", (name) => {
  expect(() => chooseAdapters(table, ["stripe", name], "payment provider", "a")).toThrow(
    `Unknown payment provider "${name}". Known payment providers: stripe, sandbox.`,
  );
});

test("choosing nothing is refused with the names that exist", () => {
  expect(() => chooseAdapters(table, [], "carrier", "a")).toThrow(
    "No carrier is configured. Known carriers: stripe, sandbox.",
  );
});
