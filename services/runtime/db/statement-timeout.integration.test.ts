import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { describeMariadb } from "../testing/databases.ts";
import { databaseErrorKind } from "./errors.ts";

describeMariadb("the time limit of statements", (open) => {
  test("ends a SELECT that takes too long, and the connection serves the next", async () => {
    await using db = await open<unknown>({ statementTimeoutMs: 200, maxConnections: 1 });
    const slow = db.kysely.selectNoFrom(sql<number>`benchmark(100000000000, sha2('x', 512))`.as("n")).execute();
    const error = await slow.catch((reason: unknown) => reason);
    expect(databaseErrorKind(error)).toBe("timeout");
    const { two } = await db.kysely.selectNoFrom(sql<number>`1 + 1`.as("two")).executeTakeFirstOrThrow();
    expect(two).toBe(2);
  });
});
