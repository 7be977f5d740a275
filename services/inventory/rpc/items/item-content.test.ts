import { create } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import { ItemSchema } from "../../../../gen/docket/inventory/v1/inventory_pb.js";
import { parseItemContent } from "./item-content.ts";

const eur = (units: bigint, nanos = 0) => ({ currencyCode: "EUR", units, nanos });

test("an item's content is its title, its prices in minor units, and whether it is discontinued", () => {
  const item = create(ItemSchema, { title: "Chai", prices: [eur(19n, 990_000_000)], discontinued: true });
  expect(parseItemContent(item, "item")).toEqual({
    content: { title: "Chai", prices: [{ currency: "EUR", minor: 1999n }], discontinued: true },
    violations: [],
  });
});

test("all violations of an item are reported together", () => {
  const item = create(ItemSchema, {
    prices: [eur(1n), eur(2n), eur(0n, 1), { currencyCode: "XXX", units: 1n }, { currencyCode: "USD", units: -1n }],
  });
  expect(parseItemContent(item, "items[3]").violations).toEqual([
    { field: "items[3].title", description: "must have 1 to 255 characters" },
    { field: "items[3].prices[1]", description: "must be the only price in EUR" },
    {
      field: "items[3].prices[2]",
      description: "must be an amount of an ISO 4217 currency, with no more decimals than the currency has",
    },
    {
      field: "items[3].prices[3]",
      description: "must be an amount of an ISO 4217 currency, with no more decimals than the currency has",
    },
    { field: "items[3].prices[4]", description: "must not be negative" },
  ]);
});

test("fields outside the mask are not validated", () => {
  expect(parseItemContent(create(ItemSchema, {}), "item", new Set(["discontinued"])).violations).toEqual([]);
});
