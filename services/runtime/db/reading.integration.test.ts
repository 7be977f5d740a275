import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { type Kysely, sql } from "kysely";
import { describeEachDatabase, describeSqlite, type OpenTestDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import { until } from "../testing/until.ts";
import { type Database, openDatabase } from "./connect.ts";
import { databaseErrorKind } from "./errors.ts";

interface Tables {
  numbers: { n: number; big: number | bigint | null; data: Uint8Array | null };
}

const ROWS = 500;
const forEver = { signal: new AbortController().signal, caller: "someone" };

async function openNumbers(open: OpenTestDatabase, options: Parameters<OpenTestDatabase>[0] = {}) {
  const db = await open<Tables>(options);
  await fill(db.kysely);
  return db;
}

async function fill(db: Kysely<Tables>): Promise<void> {
  await sql`create table numbers (n integer primary key, big bigint, data blob)`.execute(db);
  await db
    .insertInto("numbers")
    .values(Array.from({ length: ROWS }, (_, n) => ({ n, big: null, data: null })))
    .execute();
}

/** Looks at each number for a hundredth of a second or so, and at all of them for much longer than a test waits. */
function countForLong(db: Kysely<Tables>) {
  const pairs = sql`(select count(*) from numbers as b, numbers as c where b.n + c.n < a.n)`;
  return db.selectFrom("numbers as a").select("n").where(sql<boolean>`${pairs} < 0`).execute();
}

/** Waits until {@link countForLong} runs. */
async function untilRunning({ kysely, dialect }: Database<Tables>): Promise<void> {
  if (dialect === "sqlite") {
    await turn();
  } else {
    await until(async () => {
      const running = sql`select id from information_schema.processlist
        where db = database() and id <> connection_id() and info like '%numbers%'`;
      return (await running.execute(kysely)).rows.length > 0;
    });
  }
}

describeEachDatabase("reading", (open) => {
  test("sees what was committed before", async () => {
    await using db = await openNumbers(open);
    for (let n = ROWS; n < ROWS + 20; n++) {
      await db.transaction((trx) => trx.insertInto("numbers").values({ n, big: null, data: null }).execute());
      const rows = await db.reading(forEver).selectFrom("numbers").select("n").where("n", "=", n).execute();
      expect(rows).toEqual([{ n }]);
    }
  });

  test("gives the values that other reads give", async () => {
    await using db = await openNumbers(open);
    const values = [
      { n: 1000, big: 2n ** 53n + 1n, data: new Uint8Array([1, 2]) },
      { n: 1001, big: -3, data: null },
    ];
    await db.kysely.insertInto("numbers").values(values).execute();
    const select = (from: Kysely<Tables>) =>
      from
        .selectFrom("numbers")
        .selectAll()
        .where((row) => row.or([row("n", "=", 1000), row("n", "=", 1001)]))
        .orderBy("n")
        .execute();
    const rows = await select(db.reading(forEver));
    expect(rows).toEqual(await select(db.kysely));
    expect(rows.map(({ big }) => big)).toEqual([2n ** 53n + 1n, -3]);
  });

  test("ends a SELECT that takes too long, and reads on", async () => {
    await using db = await openNumbers(open, { statementTimeoutMs: 200, maxConnections: 1 });
    const error = await countForLong(db.reading(forEver)).catch((reason: unknown) => reason);
    expect(databaseErrorKind(error)).toBe("timeout");
    expect(await db.reading(forEver).selectFrom("numbers").select("n").where("n", "=", 1).execute()).toHaveLength(1);
  });

  test("names the table that is not there", async () => {
    await using db = await openNumbers(open);
    const missing = db
      .reading(forEver)
      .selectFrom("nothing" as "numbers")
      .selectAll()
      .execute();
    await expect(missing).rejects.toThrow(/nothing/);
  });

  test("ends when its caller leaves, and reads on in the same session", async () => {
    const log = createStatementLog();
    await using db = await openNumbers(open, {
      onStatement: log.onStatement,
      statementTimeoutMs: 300_000,
      maxConnections: 2,
    });
    const call = new AbortController();
    const ended = countForLong(db.reading({ signal: call.signal, caller: "someone" })).catch((error) => error);
    await untilRunning(db);
    log.clear();
    call.abort(new Error("left"));
    expect(await ended).toEqual(new Error("left"));
    // The statement itself.
    await until(() => log.count(/from `?"?numbers/) === 1);
    expect(log.statements.find(({ sql }) => sql.includes("numbers"))?.error).toBeInstanceOf(Error);
    const reads = Array.from({ length: 4 }, () => db.reading(forEver).selectFrom("numbers").select("n").execute());
    expect((await Promise.all(reads)).map((rows) => rows.length)).toEqual([ROWS, ROWS, ROWS, ROWS]);
  });

  test("refuses what changes rows", async () => {
    await using db = await openNumbers(open);
    const change = db.reading(forEver).deleteFrom("numbers").execute();
    await expect(change).rejects.toThrow("db.reading is for SELECTs");
  });
});

describeSqlite("reading", (open) => {
  test("leaves a thread to others when one caller reads for long", async () => {
    await using db = await openNumbers(open);
    const call = new AbortController();
    const greedy = { signal: call.signal, caller: "greedy" };
    const ended = Promise.allSettled(Array.from({ length: 20 }, () => countForLong(db.reading(greedy))));
    expect(await db.reading(forEver).selectFrom("numbers").select("n").execute()).toHaveLength(ROWS);
    call.abort(new Error("left"));
    expect(new Set((await ended).map(({ status }) => status))).toEqual(new Set(["rejected"]));
  });

  test("ends with its database", async () => {
    const db = await openNumbers(open);
    const ended = countForLong(db.reading(forEver)).catch((error: unknown) => error);
    await turn();
    await db[Symbol.asyncDispose]();
    expect(await ended).toBeInstanceOf(Error);
    await expect(db.reading(forEver).selectFrom("numbers").select("n").execute()).rejects.toThrow("closed");
  });
});

describe("reading of a database in memory", () => {
  test("has the time limit, and sees what only its own connection sees", async () => {
    await using db = await openDatabase<Tables>({ url: "sqlite::memory:", statementTimeoutMs: 100 });
    await fill(db.kysely);
    expect(await db.reading(forEver).selectFrom("numbers").select("n").execute()).toHaveLength(ROWS);
    const error = await countForLong(db.reading(forEver)).catch((reason: unknown) => reason);
    expect(databaseErrorKind(error)).toBe("timeout");
    await db.kysely.insertInto("numbers").values({ n: ROWS, big: null, data: null }).execute();
  });
});
