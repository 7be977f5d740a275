import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { migrate } from "../../runtime/db/migrate.ts";
import { describeEachDatabase } from "../../runtime/testing/databases.ts";
import { migrations } from "./migrations.ts";
import type { PaymentDatabase } from "./schema.ts";

const move = "payment-0011-sandbox-moved";

describeEachDatabase("the migration that moves the sandbox out of payment", (open) => {
  test("empties its tables, callbacks in flight included, and can be run again", async () => {
    await using db = await open<PaymentDatabase>();
    const earlier = Object.entries(migrations).slice(0, Object.keys(migrations).indexOf(move));
    await migrate(db, Object.fromEntries(earlier));
    await sql`
      insert into sandbox_payments (reference, open_key, tenant, payment, currency, amount, token,
        capture_automatically, client_secret, expires_at)
      values ('sbx_1', 'k', 't1', 'orders/o1/payments/1', 'EUR', 1000, 'tok_success', 1, 'secret', 17)`.execute(
      db.kysely,
    );
    await sql`
      insert into sandbox_steps (reference, number, effective_at, kind, amount, refund_id, refund_reference, message)
      values ('sbx_1', 0, 17, 'authorized', 1000, '', '', '')`.execute(db.kysely);
    await sql`
      insert into callbacks (id, message_id, url, content_type, body, attempt, due_at, give_up_at)
      values ('c1', 'm1', '/v1/webhooks/payments/sandbox', 'application/json', ${Buffer.from("{}")}, 0, 17, 18)`.execute(
      db.kysely,
    );
    await migrate(db, migrations);
    await migrations[move].up(db.kysely as never, db.dialect);
    for (const table of ["sandbox_payments", "sandbox_steps", "callbacks"]) {
      const { rows } = await sql`select * from ${sql.table(table)}`.execute(db.kysely);
      expect([table, rows]).toEqual([table, []]);
    }
  });
});
