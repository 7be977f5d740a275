import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { migrate } from "../../runtime/db/migrate.ts";
import { describeEachDatabase } from "../../runtime/testing/databases.ts";
import { migrations } from "./migrations.ts";
import type { LogisticsDatabase } from "./schema.ts";

const move = "logistics-006d-callbacks-to-inbox";

describeEachDatabase("the migration of carrier callbacks to the inbox", (open) => {
  test("keeps only verified callbacks, in the inbox's states", async () => {
    await using db = await open<LogisticsDatabase>();
    const earlier = Object.entries(migrations).slice(0, Object.keys(migrations).indexOf(move));
    await migrate(db, Object.fromEntries(earlier));
    const old = ["RECEIVED", "REJECTED", "DUPLICATE", "VERIFIED", "UNMATCHED", "UNREADABLE", "PROCESSED"];
    for (const [id, state] of old.entries()) {
      const eventId = id < 3 ? null : `e${id}`;
      await sql`
        insert into carrier_callbacks (id, carrier, event_id, tenant_id, tracking_number, state, headers, body, error,
          due_at, attempt, received_at, processed_at)
        values (${`${id}`}, 'sandbox', ${eventId}, null, 'N1', ${state}, '{"a":"b"}', ${Buffer.from("{}")}, null, null, 0,
          17, null)`.execute(db.kysely);
    }
    await migrate(db, migrations);
    // Simulates the rerun of a migration that failed midway.
    await migrations[move].up(db.kysely as never, db.dialect);
    const rows = await db.kysely.selectFrom("inbound_callbacks").selectAll().orderBy("id").execute();
    expect(rows.map(({ id, state }) => [id, state])).toEqual([
      ["3", "RECEIVED"],
      ["4", "FAILED"],
      ["5", "FAILED"],
      ["6", "PROCESSED"],
    ]);
    expect(rows[0]).toMatchObject({ source: "sandbox", event_id: "e3", reference: "N1", headers: '{"a":"b"}' });
  });
});
