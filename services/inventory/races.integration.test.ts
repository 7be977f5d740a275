import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { reasonOf } from "../runtime/errors.ts";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { auditBooks } from "./testing/books.ts";
import { longTtl, startInventory } from "./testing/inventory.ts";

/** Errors that a race may produce; any other error fails the test. */
async function settle(calls: readonly Promise<unknown>[]): Promise<string[]> {
  const results = await Promise.allSettled(calls);
  return results.map((result) => {
    if (result.status === "fulfilled") {
      return "done";
    }
    const error = ConnectError.from(result.reason);
    return error.code === Code.FailedPrecondition ? (reasonOf(error) ?? "") : `${Code[error.code]}: ${error.message}`;
  });
}

describeEachDatabase("races for stock", (open) => {
  test("of twelve buyers of five items, five succeed and seven receive OUT_OF_STOCK", async () => {
    await using it = await startInventory(open);
    await it.inventory.createItem({ item: { sku: "last", title: "Last", stockOnHand: 5n } });
    const outcome = await settle(
      Array.from({ length: 12 }, (_, i) =>
        it.inventory.reserveStock({
          name: `reservations/r${i}`,
          order: `orders/o${i}`,
          items: [{ sku: "last", quantity: 1n }],
          ttl: longTtl,
        }),
      ),
    );
    expect(outcome.filter((it) => it === "done").length).toBe(5);
    expect(outcome.filter((it) => it === "OUT_OF_STOCK").length).toBe(7);
    const { stockReserved } = await it.inventory.getItem({ name: "items/last" });
    expect(stockReserved).toBe(5n);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  }, 30_000);

  test("concurrent reservations under one name hold the stock once", async () => {
    await using it = await startInventory(open);
    await it.inventory.createItem({ item: { sku: "chai", title: "Chai", stockOnHand: 100n } });
    const request = {
      name: "reservations/r",
      order: "orders/o",
      items: [{ sku: "chai", quantity: 2n }],
      ttl: longTtl,
    };
    const outcome = await settle(Array.from({ length: 10 }, () => it.inventory.reserveStock(request)));
    expect(outcome).toEqual(Array.from({ length: 10 }, () => "done"));
    expect((await it.inventory.getItem({ name: "items/chai" })).stockReserved).toBe(2n);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  }, 30_000);

  test("concurrent identical adjustments are applied once", async () => {
    await using it = await startInventory(open);
    await it.inventory.createItem({ item: { sku: "chai", title: "Chai", stockOnHand: 10n } });
    const request = { name: "items/chai", delta: 5n, requestId: "same" };
    const outcome = await settle(Array.from({ length: 8 }, () => it.inventory.adjustStock(request)));
    expect(outcome).toEqual(Array.from({ length: 8 }, () => "done"));
    expect((await it.inventory.getItem({ name: "items/chai" })).stockOnHand).toBe(15n);
  }, 30_000);

  test("two hundred concurrent mixed operations leave balanced books", async () => {
    await using it = await startInventory(open);
    const skus = ["a", "b", "c", "d", "e"];
    await it.inventory.batchUpsertItems({
      items: skus.map((sku) => ({ sku, title: sku, stockOnHand: 20n })),
    });
    const name = (i: number) => `reservations/r${i % 30}`;
    const operation = (i: number): Promise<unknown> => {
      switch (i % 5) {
        case 0:
        case 1:
          return it.inventory.reserveStock({
            name: name(i),
            order: `orders/o${i % 30}`,
            // Requests of one name are identical. Names differ in the order of their SKUs.
            items: [0, 1, 2].map((k) => ({
              sku: skus[((i % 30) * 7 + k * 3) % 5] ?? "a",
              quantity: BigInt(1 + (i % 3)),
            })),
            ttl: longTtl,
          });
        case 2:
          return it.inventory.commitReservation({ name: name(i) }).catch((error: unknown) => {
            if (ConnectError.from(error).code !== Code.NotFound) {
              throw error;
            }
          });
        case 3:
          return it.inventory.releaseReservation({ name: name(i * 3) });
        default:
          return it.inventory.adjustStock({
            name: `items/${skus[Math.floor(i / 5) % 5]}`,
            delta: i % 2 === 0 ? 3n : -2n,
          });
      }
    };
    const outcome = await settle(Array.from({ length: 200 }, (_, i) => operation(i)));
    const allowed = ["done", "OUT_OF_STOCK", "RESERVATION_RELEASED", "STOCK_RESERVED"];
    expect(outcome.filter((it) => !allowed.includes(it))).toEqual([]);
    expect(outcome.filter((it) => it === "done").length).toBeGreaterThan(40);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  }, 60_000);
});
