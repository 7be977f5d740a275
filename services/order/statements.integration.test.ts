import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { createStatementLog } from "../runtime/testing/statement-log.ts";
import { until } from "../runtime/testing/until.ts";
import { anOrder, startOrders, tenant } from "./testing/running-orders.ts";

describeEachDatabase("the statements of the order service", (open, dialect) => {
  test("are few: one transaction creates an order of many lines, two statements list fifty", async () => {
    const { url } = await open<unknown>();
    const log = createStatementLog();
    await using world = await startOrders(url, {}, { onStatement: log.onStatement });
    const lineItems = Array.from({ length: 20 }, () => ({ sku: "TEA", quantity: 1 }));
    log.clear();
    await world.place({ lineItems, externalId: "A-1" }, { requestId: "k1" });
    const sent = log.statements.map(({ sql: text }) => text.replaceAll(/\s+/g, " ").trim());
    const creating = sent.slice(0, sent.findIndex((text) => /^insert into `sagas`/.test(text)) + 1);
    expect(creating.map(tableOf).filter((table) => /^(order|idempotency|sagas)/.test(table))).toEqual([
      // The end of the feed, which is locked; then what is written, besides the event.
      "order_feed_heads",
      ...["idempotency_keys", "order_events", "order_feed", "order_feed_heads", "order_lines", "orders", "sagas"],
    ]);

    const requests = Array.from({ length: 60 }, (_, i) => ({ order: anOrder({ externalId: `B-${i}` }) }));
    await world.orders.batchCreateOrders({ requests });
    await until(async () => {
      const { orders } = await world.orders.listOrders({ filter: "state = PLACING", pageSize: 1 });
      return orders.length === 0;
    });
    await world.service.drain();
    log.clear();
    expect((await world.orders.listOrders({ filter: "sku = TEA" })).orders).toHaveLength(50);
    expect(log.count()).toBe(2);
    log.clear();
    await world.orders.lookupOrder({ externalId: "A-1" });
    expect(log.count()).toBe(2);
    const { orders } = await world.orders.listOrders({ pageSize: 50 });
    log.clear();
    const found = await Promise.all(orders.map(({ name }) => world.orders.getOrder({ name })));
    expect(found).toEqual(orders);
    expect(log.count()).toBe(2);
  });

  test("are hardly more for 64 orders at once than for one, from the creation to the delivery", async () => {
    const { url } = await open<unknown>();
    const log = createStatementLog();
    await using world = await startOrders(url, {}, { onStatement: log.onStatement });
    const { kysely } = world.db;
    const allReach = (state: string) =>
      until(async () => {
        const found = await kysely.selectFrom("orders").select("id").where("state", "=", state).execute();
        return found.length === 64;
      });
    log.clear();

    const placed = await Promise.all(Array.from({ length: 64 }, (_, i) => world.place({}, { requestId: `k${i}` })));
    await allReach("AWAITING_PAYMENT");
    const payments = placed.map(({ name }) => `${name}/payments/1`);
    await Promise.all(payments.map((name) => world.payment.capture(name, 900)));
    await allReach("CONFIRMED");
    const shipments = placed.map(({ name }) => `${name}/shipments/1`);
    await Promise.all(shipments.map((name) => world.logistics.created(tenant, name, { "1": 2 })));
    await allReach("FULFILLING");
    await Promise.all(shipments.map((name) => world.logistics.delivered(tenant, name)));
    await allReach("COMPLETED");

    // About 140 and 12; twice as many if the orders do not move together.
    expect(log.count()).toBeLessThan(64 * 5);
    expect(log.count(/^commit$/)).toBeLessThan(64);
    const written = (table: string) => log.count(new RegExp(`^insert into \`${table}\` `));
    expect(written("orders")).toBeLessThanOrEqual(4);
    // Eight changes of each order.
    expect(written("order_events")).toBeLessThan(32);
    expect(written("order_feed")).toBe(written("order_events"));
  });

  test("read lists and single orders through indexes", async () => {
    const { url } = await open<unknown>();
    const log = createStatementLog();
    await using world = await startOrders(url, {}, { onStatement: log.onStatement });
    const requests = Array.from({ length: 300 }, (_, i) => ({
      order: anOrder({
        externalId: `B-${i}`,
        customer: { id: `c${i % 20}` },
        lineItems: [{ sku: "TEA", quantity: 1 }],
      }),
    }));
    await world.orders.batchCreateOrders({ requests });
    await world.service.drain();
    const { kysely } = world.db;
    if (dialect === "mysql") {
      await sql`analyze table orders, order_lines, order_events`.execute(kysely);
    }
    const planOf = async (text: string, parameters: readonly unknown[]) => {
      const parts = `${dialect === "sqlite" ? "explain query plan " : "explain "}${text}`.split("?");
      const query = parts.map((part) => sql.raw(part)).reduce((all, part, i) => sql`${all}${parameters[i - 1]}${part}`);
      const { rows } = await sql<Record<string, unknown>>`${query}`.execute(kysely);
      return rows.map((row) => (dialect === "sqlite" ? row["detail"] : `${row["key"]} ${row["Extra"]}`)).join("; ");
    };
    log.clear();
    await world.orders.listOrders({});
    await world.orders.listOrders({ filter: 'customer.id = "c7"' });
    await world.orders.lookupOrder({ externalId: "B-7" });
    for (const { sql: text, parameters } of [...log.statements]) {
      const plan = await planOf(text, parameters);
      expect(plan).not.toMatch(/filesort|TEMP B-TREE|SCAN/);
    }
  });
});

/** The first table that a statement names. */
function tableOf(text: string): string {
  return /(?:from|into|update)\s+[`"]?(\w+)/.exec(text)?.[1] ?? text;
}
