import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { migrate } from "../../runtime/db/migrate.ts";
import { describeEachDatabase } from "../../runtime/testing/databases.ts";
import { migrations } from "./migrations.ts";
import type { PaymentDatabase } from "./schema.ts";

const move = "payment-0007d-callbacks-to-inbox";

describeEachDatabase("the migration of payment callbacks to the inbox", (open) => {
  test("keeps every callback, and assigns those of unknown payments to no tenant", async () => {
    await using db = await open<PaymentDatabase>();
    const earlier = Object.entries(migrations).slice(0, Object.keys(migrations).indexOf(move));
    await migrate(db, Object.fromEntries(earlier));
    for (const [id, state, tenant, payment] of [
      ["1", "PROCESSED", "t1", "orders/o1/payments/1"],
      ["2", "RECEIVED", "default", ""],
    ]) {
      await sql`
        insert into payment_callbacks (tenant_id, id, provider, event_id, event_type, state, payment, body, receive_count,
          failure_message, created_at, processed_at, attempt, due_at)
        values (${tenant}, ${id}, 'sandbox', ${`e${id}`}, 'payment.captured', ${state}, ${payment}, ${Buffer.from("{}")},
          2, '', 17, null, 0, null)`.execute(db.kysely);
    }
    await migrate(db, migrations);
    // A migration that failed midway is run again.
    await migrations[move].up(db.kysely as never, db.dialect);
    const rows = await db.kysely.selectFrom("inbound_callbacks").selectAll().orderBy("id").execute();
    expect(rows).toMatchObject([
      { id: "1", source: "sandbox", event_id: "e1", tenant_id: "t1", subject: "orders/o1/payments/1", received_at: 17 },
      { id: "2", source: "sandbox", event_id: "e2", tenant_id: null, subject: "", state: "RECEIVED", receive_count: 2 },
    ]);
  });
});
