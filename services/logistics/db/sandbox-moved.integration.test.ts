import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { migrate } from "../../runtime/db/migrate.ts";
import { describeEachDatabase } from "../../runtime/testing/databases.ts";
import { migrations } from "./migrations.ts";
import type { LogisticsDatabase } from "./schema.ts";

const move = "logistics-009-sandbox-moved";

describeEachDatabase("the migration that moves the sandbox out of logistics", (open) => {
  test("empties its tables, callbacks in flight included, and can be run again", async () => {
    await using db = await open<LogisticsDatabase>();
    const earlier = Object.entries(migrations).slice(0, Object.keys(migrations).indexOf(move));
    await migrate(db, Object.fromEntries(earlier));
    await sql`
      insert into sandbox_parcels (reference, tracking_number, service, booked_at, asked)
      values ('orders/o1/shipments/1', 'SBX1', 'standard', 17, 0)`.execute(db.kysely);
    await sql`
      insert into callbacks (id, message_id, url, content_type, body, attempt, due_at, give_up_at)
      values ('c1', 'm1', '/v1/webhooks/carriers/sandbox', 'application/json', ${Buffer.from("{}")}, 0, 17, 18)`.execute(
      db.kysely,
    );
    await migrate(db, migrations);
    await migrations[move].up(db.kysely as never, db.dialect);
    for (const table of ["sandbox_parcels", "callbacks"]) {
      const { rows } = await sql`select * from ${sql.table(table)}`.execute(db.kysely);
      expect([table, rows]).toEqual([table, []]);
    }
  });
});
