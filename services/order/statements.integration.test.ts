import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { createStatementLog } from "../runtime/testing/statement-log.ts";
import { until } from "../runtime/testing/until.ts";
import { anOrder, startOrders } from "./testing/running-orders.ts";

describeEachDatabase("the statements of the order service", (open, dialect) => {
  test("are few: one transaction creates an order of many lines, two statements list fifty", async () => {
    const { url } = await open<unknown>();
    const log = createStatementLog();
    await using world = await startOrders(url, {}, { onStatement: log.onStatement });
    const lineItems = Array.from({ length: 20 }, () => ({ sku: "TEA", quantity: 1 }));
    log.clear();
    await world.place({ lineItems, externalId: "A-1" }, { requestId: "k1" });
    const writes = log.statements
      .filter(({ sql: text }) => /^(insert into|update) .(idempotency|order|sagas)/i.test(text))
      .map(({ sql: text }) => text);
    const creating = writes.slice(0, writes.findIndex((text) => /update .idempotency_keys/.test(text)) + 1);
    // key, order, lines, timeline, saga, response; and the outbox's own
    expect(creating).toHaveLength(6);

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
