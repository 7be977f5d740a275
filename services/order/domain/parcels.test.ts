import { expect, test } from "@jest/globals";
import type { OrderLine } from "./order.ts";
import { allDelivered, anyShipped, type Parcel, withParcels } from "./parcels.ts";

const line = (id: string, quantity: number): OrderLine => ({
  id,
  sku: "TEA",
  title: "Tea",
  quantity,
  unitPrice: 1n,
  discount: 0n,
  discountRate: "",
  total: BigInt(quantity),
  quantityShipped: 0,
  quantityDelivered: 0,
  quantityCancelled: 0,
});

const parcel = (lines: Record<string, number>, is: Partial<Parcel> = {}): Parcel => ({
  id: "p",
  over: false,
  delivered: false,
  lines: Object.entries(lines).map(([lineId, quantity]) => ({ lineId, quantity })),
  ...is,
});

const lines = [line("1", 3), line("2", 1)];
const counts = (parcels: Parcel[]) =>
  withParcels(lines, parcels).map(({ quantityShipped, quantityDelivered }) => [quantityShipped, quantityDelivered]);

test("counts what is shipped and delivered over all parcels", () => {
  expect(counts([])).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect(counts([parcel({ 1: 2 }, { delivered: true }), parcel({ 1: 1, 2: 1 })])).toEqual([
    [3, 2],
    [1, 0],
  ]);
});

test("a cancelled parcel does not count, even if it was delivered by mistake", () => {
  expect(counts([parcel({ 1: 3 }, { over: true, delivered: true })])).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

test("an order is delivered when every unit of every line is", () => {
  const some = withParcels(lines, [parcel({ 1: 3 }, { delivered: true })]);
  expect([anyShipped(some), allDelivered(some)]).toEqual([true, false]);
  const all = withParcels(lines, [parcel({ 1: 3, 2: 1 }, { delivered: true })]);
  expect([anyShipped(all), allDelivered(all)]).toEqual([true, true]);
  expect(anyShipped(lines)).toBe(false);
});
