import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { describeMariadb } from "../testing/databases.ts";
import { databaseErrorKind } from "./errors.ts";

/** Billions of pairs of rows that every server has. */
const endless = sql`(
  select count(*) from information_schema.collations as a, information_schema.collations as b,
    information_schema.collations as c, information_schema.collations as d
  where concat(a.collation_name, b.collation_name) < concat(c.collation_name, d.collation_name))`;

describeMariadb("the time limit of statements", (open) => {
  test("ends a SELECT that takes too long, and the connection serves the next", async () => {
    await using db = await open<unknown>({ statementTimeoutMs: 200, maxConnections: 1 });
    const slow = db.kysely.selectNoFrom(sql<number>`${endless}`.as("n")).execute();
    const error = await slow.catch((reason: unknown) => reason);
    expect(databaseErrorKind(error)).toBe("timeout");
    const { two } = await db.kysely.selectNoFrom(sql<number>`1 + 1`.as("two")).executeTakeFirstOrThrow();
    expect(two).toBe(2);
  });
});
