import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { createStatementLog } from "../runtime/testing/statement-log.ts";
import { auditBooks } from "./testing/books.ts";
import { longTtl, startInventory, tenant } from "./testing/inventory.ts";
import { shipmentCollected } from "./testing/shipment-collected.ts";

describeEachDatabase("the statements of the inventory service", (open) => {
  test("are as many for 64 concurrent calls as for one: reservations, their commits and releases, adjustments", async () => {
    const log = createStatementLog();
    // The sweep and the relay occasionally execute statements of their own.
    const own = /`(items|reservations|reservation_lines|stock_movements|idempotency_keys)`|into outbox_messages/;
    await using it = await startInventory(open, { expiryPollMs: 60_000, onStatement: log.onStatement });
    const items = ["a", "b", "c"].map((sku) => ({ sku, title: sku, stockOnHand: 1000n }));
    await it.inventory.batchUpsertItems({ items });
    const names = Array.from({ length: 64 }, (_, n) => `reservations/r${n}`);
    log.clear();

    await Promise.all(
      names.map((name, n) =>
        it.inventory.reserveStock({
          ...{ name, order: `orders/o${n}`, ttl: longTtl },
          items: [
            { sku: "a", quantity: 1n },
            { sku: n % 2 === 0 ? "b" : "c", quantity: 2n },
          ],
        }),
      ),
    );

    const kinds = () =>
      log.statements.flatMap(({ sql }) => (own.test(sql) ? [sql.replaceAll(/\s+/g, " ").trim().slice(0, 30)] : []));
    // items, reservations; items, lines, reservations and movements; the outbox. Doubled if the calls span two batches.
    expect([7, 14]).toContain(kinds().length);
    log.clear();
    await Promise.all(names.map((name) => it.inventory.commitReservation({ name })));
    expect([3, 6]).toContain(kinds().length);
    log.clear();
    await Promise.all(names.map((name) => it.inventory.releaseReservation({ name })));
    // The first batch finds out which items to load: reservations and their lines. The second releases them.
    expect([9, 11, 18]).toContain(kinds().length);
    log.clear();
    await Promise.all(
      names.map((_, n) => it.inventory.adjustStock({ name: "items/a", delta: 1n, requestId: `adjustment-${n}` })),
    );
    // items; items and movements; the outbox; the keys.
    expect([5, 10]).toContain(kinds().length);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("are as many for a batch of collected shipments as for one", async () => {
    const log = createStatementLog();
    const own = /`(items|reservations|reservation_lines|stock_movements)`|"reservations"|into (out|in)box_messages/;
    await using it = await startInventory(open, { expiryPollMs: 60_000, onStatement: log.onStatement });
    await it.inventory.batchUpsertItems({ items: [{ sku: "a", title: "a", stockOnHand: 1000n }] });
    const orders = Array.from({ length: 64 }, (_, n) => `o${n}`);
    await Promise.all(
      orders.map(async (order) => {
        const name = `reservations/${order}`;
        const items = [{ sku: "a", quantity: 2n }];
        await it.inventory.reserveStock({ name, order: `orders/${order}`, items, ttl: longTtl });
        await it.inventory.commitReservation({ name });
      }),
    );
    log.clear();
    await it.bus.publish(orders.map((order) => shipmentCollected(tenant, order, { a: 2 }, `collected ${order}`)));
    const kinds = log.statements.flatMap(({ sql }) =>
      own.test(sql) ? [sql.replaceAll(/\s+/g, " ").trim().slice(0, 40)] : [],
    );
    // The inbox; which reservations; items, reservations and lines, read and written; movements; the outbox.
    expect(kinds).toHaveLength(10);
    expect((await it.inventory.getItem({ name: "items/a" })).stockOnHand).toBe(872n);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });
});
