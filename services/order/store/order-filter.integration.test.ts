import { expect, test } from "@jest/globals";
import { CompiledQuery } from "kysely";
import { compileFilter } from "../../runtime/db/filter-sql.ts";
import { migrate } from "../../runtime/db/migrate.ts";
import { describeSqlite } from "../../runtime/testing/databases.ts";
import { migrations } from "../db/migrations.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { orderFilterFields } from "./order-filter.ts";

// MariaDB reads the lines of all orders once, and joins.
describeSqlite("filters of orders", (open) => {
  test.each(['sku = "*x*"', 'sku = "A"', 'sku != "A"'])(
    "read the lines of each order alone, without statistics, for %s",
    async (filter) => {
      await using db = await open<OrderDatabase>();
      await migrate(db, migrations);
      const where = compileFilter(filter, orderFilterFields(db.dialect), db.dialect);
      const list = db.kysely.selectFrom("orders").selectAll().where("tenant_id", "=", "acme");
      const { sql: text, parameters } = (where === undefined ? list : list.where(where)).compile();
      const { rows } = await db.kysely.executeQuery<{ detail: string }>(
        CompiledQuery.raw(`explain query plan ${text}`, [...parameters]),
      );
      const plan = rows.map(({ detail }) => detail).filter((detail) => detail.includes("line"));
      expect(plan).toEqual([
        expect.stringMatching(/ sqlite_autoindex_order_lines_1 \(tenant_id=\? AND order_id=\?\)$/),
      ]);
    },
  );
});
