import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { orderOf } from "../runtime/api/list.ts";
import type { Database } from "../runtime/db/connect.ts";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { planOf } from "../runtime/testing/query-plan.ts";
import type { LogisticsDatabase } from "./db/schema.ts";
import { shipmentList, shipmentsQuery } from "./store/list-shipments.ts";
import { startLogistics, tenant } from "./testing/logistics.ts";

async function fill(db: Database<LogisticsDatabase>) {
  const rows = Array.from({ length: 600 }, (_, i) => ({
    tenant_id: i % 2 === 0 ? tenant : "tenant-b",
    id: `id-${i}`,
    order_id: `o-${Math.floor(i / 4)}`,
    number: `${i}`,
    carrier: "sandbox",
    carrier_service: "",
    booking: "BOOKED" as const,
    tracking_number: `N${i}`,
    tracking_url: null,
    destination: "{}",
    labels: "{}",
    state: "DELIVERED" as const,
    state_at: i,
    state_event_id: "",
    collected: 1,
    delivered_at: i,
    cancelled_at: null,
    cancel_requested: 0,
    due_at: i % 50 === 0 ? i : null,
    attempt: 1,
    failures: 0,
    created_at: i,
    updated_at: i,
    version: 1,
  }));
  await db.kysely.insertInto("shipments").values(rows).execute();
  if (db.dialect === "mysql") {
    await sql`analyze table shipments`.execute(db.kysely);
  }
}

describeEachDatabase("the logistics queries cost the same however many rows there are", (open) => {
  test("a page of shipments, a shipment by its number, and what is due come out of an index", async () => {
    await using it = await startLogistics(open);
    await fill(it.db);
    const { kysely } = it.db;
    const { keys } = orderOf(shipmentList, []);
    const indexed = { fullScans: [], sorts: false };
    for (const after of [undefined, [300, "id-300"]]) {
      const page = { where: undefined, keys, after, limit: 20 };
      expect(await planOf(it.db, shipmentsQuery(kysely, { tenant }, page))).toEqual(indexed);
    }
    const first = { where: undefined, keys, after: undefined, limit: 20 };
    const plan = await planOf(it.db, shipmentsQuery(kysely, { tenant, orderId: "o-3" }, first));
    expect(plan.fullScans).toEqual([]);
    const byNumber = kysely
      .selectFrom("shipments")
      .select("id")
      .where("carrier", "=", "sandbox")
      .where("tracking_number", "=", "N5");
    expect((await planOf(it.db, byNumber)).fullScans).toEqual([]);
    const due = kysely.selectFrom("shipments").select("id").where("due_at", "<=", 100).orderBy("due_at").limit(8);
    expect(await planOf(it.db, due)).toEqual(indexed);
  });
});
