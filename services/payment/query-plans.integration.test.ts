import { beforeEach, expect, test } from "@jest/globals";
import { sql } from "kysely";
import { orderOf } from "../runtime/api/list.ts";
import { receivedRow } from "../runtime/callbacks/rows.ts";
import { migrate } from "../runtime/db/migrate.ts";
import { claimDue } from "../runtime/jobs/claim-due.ts";
import { describeEachDatabase, type TestDatabase } from "../runtime/testing/databases.ts";
import { createStatementLog } from "../runtime/testing/statement-log.ts";
import { migrations } from "./db/migrations.ts";
import type { PaymentDatabase } from "./db/schema.ts";
import { callbackList, paymentList, selectCallbacks, selectPayments } from "./store/payment-lists.ts";
import { toRow } from "./store/payment-rows.ts";
import { somePayment } from "./testing/payment-values.ts";

describeEachDatabase("the statements of the payment service", (open, dialect) => {
  const log = createStatementLog();
  let db: TestDatabase<PaymentDatabase>;

  beforeEach(async () => {
    db = await open<PaymentDatabase>({ onStatement: log.onStatement });
    await migrate(db, migrations);
    await db.transaction(async (trx) => {
      for (let i = 0; i < 300; i++) {
        const uid = `01${String(i).padStart(24, "0")}`;
        const payment = somePayment({ uid, orderId: `o${i % 50}`, paymentId: `${i}`, reference: `ref${i}` });
        await trx
          .insertInto("payments")
          .values({ ...toRow(payment), attempt: 0, due_at: 9e12 })
          .execute();
        const event = { source: "sandbox", eventId: `e${i}`, eventType: "", body: Buffer.from("{}"), headers: {} };
        await trx
          .insertInto("inbound_callbacks")
          .values(receivedRow({ ...event, id: uid }, 9e12))
          .execute();
      }
    });
    await db.kysely.updateTable("inbound_callbacks").set({ tenant_id: "t1" }).execute();
    if (dialect === "mysql") {
      await sql`analyze table payments, payment_operations, inbound_callbacks`.execute(db.kysely);
    }
    log.clear();
  });

  /** The query plans of the executed statements, one line each. */
  const plans = async () => {
    const lines: string[] = [];
    for (const { sql: text, parameters } of log.statements.filter((it) => /^select/i.test(it.sql))) {
      const explain = dialect === "sqlite" ? "explain query plan " : "explain ";
      const parts = `${explain}${text}`.split("?").map((part) => sql.raw(part));
      const query = parts.reduce((all, part, i) => sql`${all}${parameters[i - 1]}${part}`);
      const { rows } = await sql<Record<string, unknown>>`${query}`.execute(db.kysely);
      lines.push(
        rows.map((row) => (dialect === "sqlite" ? row["detail"] : `${row["key"]} ${row["Extra"]}`)).join("; "),
      );
    }
    return lines;
  };

  test("read a list page through an index, without sorting", async () => {
    const tenant = "t1";
    const page = { where: undefined, keys: orderOf(paymentList, []).keys, after: ["02"], limit: 50 };
    expect(await selectPayments(db.kysely, { tenant, orderId: undefined }, page)).toHaveLength(50);
    expect(await selectPayments(db.kysely, { tenant, orderId: "o7" }, page)).toHaveLength(6);
    const callbacks = { ...page, keys: orderOf(callbackList, []).keys };
    await selectCallbacks(db.kysely, { tenant, unmatched: false }, callbacks);
    for (const plan of await plans()) {
      expect(plan).toMatch(/payments_id|payments_order|inbound_callbacks_tenant/);
      expect(plan).not.toMatch(/filesort|TEMP B-TREE|SCAN/);
    }
  });

  test("find due work through its index", async () => {
    for (const table of ["payments", "payment_operations", "inbound_callbacks"] as const) {
      expect(await claimDue(db, table, { limit: 8, leaseMs: 1_000 })).toEqual([]);
    }
    for (const plan of await plans()) {
      expect(plan).toMatch(/due_at/);
      expect(plan).not.toMatch(/filesort|TEMP B-TREE|SCAN/);
    }
  });
});
