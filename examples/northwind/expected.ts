import { same, type Totals } from "./books.ts";
import type { OrderLine, Records } from "./records.ts";

/** Totals of the complete Northwind data. */
const northwind: Totals = {
  orders: 830,
  lines: 2155,
  units: 51_317,
  goods: 135_445_859n,
  afterDiscount: 126_579_276n,
  freight: 6_494_269n,
  completed: 809,
  confirmed: 21,
};

/**
 * Computes the totals from the files, without Docket. Accepts any folder in Northwind's format.
 *
 * @throws if the files have as many orders as Northwind but different totals
 */
export function expectedTotals({ orders, lines }: Records): Totals {
  const all = orders.flatMap((order) => lines.get(order.OrderID) ?? []);
  const completed = orders.filter((order) => order.ShippedDate !== "").length;
  const totals: Totals = {
    orders: orders.length,
    lines: all.length,
    units: all.reduce((sum, line) => sum + Number(line.Quantity), 0),
    goods: all.reduce((sum, line) => sum + goodsOf(line), 0n),
    afterDiscount: all.reduce((sum, line) => sum + goodsOf(line) - discountOf(line), 0n),
    freight: orders.reduce((sum, { Freight }) => sum + scaled(Freight, 2), 0n),
    completed,
    confirmed: orders.length - completed,
  };
  if (totals.orders === northwind.orders && !same(totals, northwind)) {
    throw new Error("these files have 830 orders as Northwind has, but do not add up to what Northwind does");
  }
  return totals;
}

/** Price of a line before its discount, in cents. */
function goodsOf({ UnitPrice, Quantity }: OrderLine): bigint {
  return scaled(UnitPrice, 2) * BigInt(Quantity);
}

/** Discount of a line in cents, rounded half up. */
function discountOf(line: OrderLine): bigint {
  return (goodsOf(line) * scaled(line.Discount, 6) + 500_000n) / 1_000_000n;
}

/** A decimal as a whole number of its `places`-th decimals: `scaled("1.5", 2)` is 150. */
function scaled(decimal: string, places: number): bigint {
  const [whole = "", fraction = ""] = decimal.split(".");
  return BigInt(whole + fraction.slice(0, places).padEnd(places, "0"));
}
