import { expect, test } from "@jest/globals";
import { type CatalogItem, priceOrder, type WantedLine } from "./pricing.ts";

const catalog: ReadonlyMap<string, CatalogItem> = new Map(
  [
    { sku: "TEA", title: "Tea", discontinued: false, prices: new Map([["EUR", 450n]]) },
    { sku: "OLD", title: "Old tea", discontinued: true, prices: new Map([["EUR", 100n]]) },
  ].map((item) => [item.sku, item]),
);

const line = (wanted: Partial<WantedLine>): WantedLine => ({
  sku: "TEA",
  quantity: 2,
  unitPrice: undefined,
  discount: undefined,
  discountRate: "",
  ...wanted,
});

const price = (lines: WantedLine[], mayPrice = false, shippingFee?: bigint, currency = "EUR") =>
  priceOrder({ currency, lines, shippingFee }, catalog, { mayPrice });

const violationsOf = (...args: Parameters<typeof price>) => {
  const priced = price(...args);
  return priced.ok ? [] : priced.violations.map(({ field, description }) => `${field}: ${description}`);
};

test("takes price and title from the item", () => {
  const priced = price([line({}), line({ quantity: 1 })]);
  expect(priced).toMatchObject({
    ok: true,
    lines: [
      { id: "1", title: "Tea", unitPrice: 450n, total: 900n },
      { id: "2", title: "Tea", unitPrice: 450n, total: 450n },
    ],
    totals: { subtotal: 1350n, discountTotal: 0n, shippingFee: 0n, total: 1350n },
  });
});

test("reports all lines that cannot be sold at once", () => {
  expect(violationsOf([line({ sku: "NO" }), line({}), line({ sku: "OLD" })])).toEqual([
    "line_items[0].sku: there is no item NO",
    "line_items[2].sku: OLD is discontinued",
  ]);
});

test("an item without a price in the currency is rejected, unless an authorized caller gives a price", () => {
  expect(violationsOf([line({})], false, undefined, "USD")).toEqual(["line_items[0].sku: TEA has no price in USD"]);
  expect(price([line({ unitPrice: 1n })], true, undefined, "USD").ok).toBe(true);
});

test("prices, discounts and the fee need the scope", () => {
  const lines = [line({ unitPrice: 449n }), line({ discount: 1n }), line({ discountRate: "0.1" })];
  expect(violationsOf(lines, false, 500n)).toEqual([
    "line_items[0].unit_price: is not the item's price; setting another requires the scope orders.price",
    "line_items[1].discount: setting it requires the scope orders.price",
    "line_items[2].discount_rate: setting it requires the scope orders.price",
    "shipping_fee: setting it requires the scope orders.price",
  ]);
  expect(price(lines, true, 500n)).toMatchObject({
    ok: true,
    totals: { subtotal: 2698n, discountTotal: 91n, shippingFee: 500n, total: 3107n },
  });
});

test("the item's own price may be given without the scope", () => {
  expect(price([line({ unitPrice: 450n })], false, 0n).ok).toBe(true);
});

test("a caller who may set prices may sell discontinued items, but not unknown ones", () => {
  expect(price([line({ sku: "OLD" })], true).ok).toBe(true);
  expect(violationsOf([line({ sku: "NO", unitPrice: 1n })], true)).toEqual(["line_items[0].sku: there is no item NO"]);
});

test("a discount and a rate must agree", () => {
  expect(price([line({ discount: 135n, discountRate: "0.15" })], true).ok).toBe(true);
  expect(violationsOf([line({ discount: 134n, discountRate: "0.15" })], true)).toEqual([
    "line_items[0].discount: does not match the discount rate 0.15; omit one of them",
  ]);
});

test("amounts below zero and discounts above the line total are rejected", () => {
  expect(
    violationsOf([line({ unitPrice: -1n }), line({ discount: -1n }), line({ discount: 901n })], true, -1n),
  ).toEqual([
    "line_items[0].unit_price: must not be negative",
    "line_items[1].discount: must not be negative",
    "line_items[2].discount: exceeds the price of the line",
    "shipping_fee: must not be negative",
  ]);
});

test("a sum that exceeds the column is rejected", () => {
  expect(violationsOf([line({ unitPrice: 2n ** 60n, quantity: 1_000_000 })], true)).toEqual([
    "line_items: the sum is too large",
  ]);
});
