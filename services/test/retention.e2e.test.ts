import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { Automation, Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { firstIdAt } from "../runtime/values/ids.ts";
import { eventually } from "./support/eventually.ts";
import { openBeside, type services } from "./support/marks.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { describeEachStorage, type Storage, startDocket } from "./support/start-docket.ts";

/** Everything that can be forgotten at once is. */
const briefly = {
  DOCKET_RETENTION_INTERVAL: "20ms",
  DOCKET_ORDER_RETENTION: "1ms",
  DOCKET_DEAD_LETTER_RETENTION: "1ms",
  DOCKET_SAGA_RETENTION: "1ms",
  DOCKET_CALLBACK_RETENTION: "1ms",
  DOCKET_DELIVERY_RETENTION: "1ms",
  DOCKET_OUTBOX_RETENTION: "1ms",
  DOCKET_INBOX_RETENTION: "1ms",
  DOCKET_FEED_RETENTION: "1ms",
  DOCKET_AUDIT_RETENTION: "1ms",
};

/** How many rows a table has, with a condition. */
async function rowsOf(
  storage: Storage,
  service: (typeof services)[number],
  table: string,
  where = "1 = 1",
): Promise<number> {
  await using db = await openBeside<unknown>(storage, service);
  const { rows } = await sql<{
    n: number;
  }>`select count(*) as n from ${sql.table(table)} where ${sql.raw(where)}`.execute(db.kysely);
  return Number(rows[0]?.n);
}

describeEachStorage("retention", (createStorage) => {
  test("forgets what is too old in every table, and nothing of an order that has not ended", async () => {
    await using storage = await createStorage();
    let ended = "";
    let open = "";
    {
      await using docket = await startDocket({}, storage);
      const shop = docket.admin;
      await stockTea(shop, 10);
      ended = (await shop.orders.createOrder({ order: teaOrder(), requestId: "a" })).name;
      open = (await shop.orders.createOrder({ order: teaOrder({ fulfillment: Automation.MANUAL }) })).name;
      await untilState(shop, ended, [Order_State.COMPLETED]);
      await untilState(shop, open, [Order_State.CONFIRMED]);
    }
    {
      await using order = await openBeside<unknown>(storage, "order");
      await sql`update idempotency_keys set created_at = 1`.execute(order.kysely);
      await sql`insert into dead_letters values (${firstIdAt(Date.now() - 1000)}, 'default', 'order.payments', 'm', 'x', 'x',
        ${ended}, 1, 1, ${Buffer.from("x")}, null, 'broken', 8, 1, null)`.execute(order.kysely);
      await using sandbox = await openBeside<unknown>(storage, "sandbox");
      await sql`update callbacks set prune_at = 1 where due_at is null`.execute(sandbox.kysely);
    }
    expect(await rowsOf(storage, "order", "sagas")).toBe(2);
    {
      await using docket = await startDocket(briefly, storage);
      const shop = docket.admin;
      const gone = (service: (typeof services)[number], table: string, where?: string) =>
        eventually(() => rowsOf(storage, service, table, where), 0);
      await gone("order", "orders", "state = 'COMPLETED'");
      await expect(shop.orders.getOrder({ name: ended })).rejects.toMatchObject({ code: "NOT_FOUND" });
      for (const table of ["order_lines", "order_events"]) {
        await gone("order", table, `order_id = '${ended.slice("orders/".length)}'`);
      }
      // Of what was sent, an aggregate's last number is kept.
      await gone("order", "outbox_messages", "length(data) > 0");
      for (const table of ["order_feed", "dead_letters", "idempotency_keys"]) {
        await gone("order", table);
      }
      await gone("inventory", "inbox_messages");
      await gone("operations", "audit_events");
      for (const service of ["payment", "logistics"] as const) {
        await gone(service, "inbound_callbacks");
      }
      await gone("sandbox", "callbacks", "due_at is null");
      // The saga of the open order is needed to cancel it.
      await eventually(() => rowsOf(storage, "order", "sagas"), 1);
      await shop.orders.cancelOrder({ name: open });
      await gone("order", "orders");
      // The books stay, without personal data.
      expect(await rowsOf(storage, "payment", "payments")).toBe(2);
      expect(await rowsOf(storage, "logistics", "shipments", "destination like '%Berlin%'")).toBe(0);
      expect(await rowsOf(storage, "sandbox", "payments")).toBe(2);
    }
    {
      await using sandbox = await openBeside<unknown>(storage, "sandbox");
      await sql`update payments set expires_at = 1`.execute(sandbox.kysely);
    }
    await using docket = await startDocket({ ...briefly, DOCKET_SANDBOX_RETENTION: "1ms" }, storage);
    expect(docket).toBeDefined();
    for (const table of ["payments", "payment_steps", "parcels"]) {
      await eventually(() => rowsOf(storage, "sandbox", table), 0);
    }
  }, 120_000);
});
