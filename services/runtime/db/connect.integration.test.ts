import { expect, test } from "@jest/globals";
import { type Generated, sql } from "kysely";
import { describeEachDatabase, type OpenTestDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import { bytes, flag, type Integer64, json, minorUnits, notNull, text } from "./columns.ts";
import { openDatabase } from "./connect.ts";
import { migrate } from "./migrate.ts";
import { incoming, insertIgnore, isUniqueViolation, jsonText, nowMs, sumOf, upsert } from "./sql.ts";

interface Tables {
  things: {
    id: string;
    amount: Integer64 | null;
    data: Uint8Array | null;
    labels: string | null;
    open: Generated<number>;
  };
}

async function openThings(open: OpenTestDatabase, options: Parameters<OpenTestDatabase>[0] = {}) {
  const db = await open<Tables>(options);
  await migrate(db, {
    "0001": {
      async up({ schema }) {
        await schema
          .createTable("things")
          .ifNotExists()
          .addColumn("id", text(40), notNull)
          .addColumn("amount", minorUnits)
          .addColumn("data", bytes)
          .addColumn("labels", json)
          .addColumn("open", flag, (column) => column.notNull().defaultTo(0))
          .addPrimaryKeyConstraint("things_pk", ["id"])
          .execute();
      },
    },
  });
  return db;
}

describeEachDatabase("a database", (open, dialect) => {
  test("gives integers back exactly: numbers while they are, bigints beyond", async () => {
    await using db = await openThings(open);
    const amounts = [0, -1, 2 ** 53 - 1, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)];
    await db.kysely
      .insertInto("things")
      .values(amounts.map((amount, i) => ({ id: String(i), amount })))
      .execute();

    const rows = await db.kysely.selectFrom("things").select("amount").orderBy("id").execute();
    const streamed = [];
    for await (const row of db.kysely.selectFrom("things").select("amount").orderBy("id").stream(2)) {
      streamed.push(row);
    }

    expect(rows.map((row) => row.amount)).toEqual(amounts);
    expect(streamed.map((row) => row.amount)).toEqual(amounts);
  });

  test("adds integers up exactly", async () => {
    await using db = await openThings(open);
    const sum = () => db.kysely.selectFrom("things").select(sumOf(db.dialect, sql.ref("amount")).as("sum"));
    expect((await sum().executeTakeFirstOrThrow()).sum).toBe(0);
    await db.kysely
      .insertInto("things")
      .values([{ id: "a", amount: 2n ** 53n }, { id: "b", amount: 1 }, { id: "c" }])
      .execute();

    expect((await sum().executeTakeFirstOrThrow()).sum).toBe(2n ** 53n + 1n);
  });

  test("does integer arithmetic beyond 2^53 with numbers as parameters", async () => {
    await using db = await openThings(open);
    await db.kysely
      .insertInto("things")
      .values({ id: "a", amount: 2n ** 60n })
      .execute();

    await db.kysely
      .updateTable("things")
      .set(({ eb }) => ({ amount: eb("amount", "+", 1) }))
      .execute();

    expect(await db.kysely.selectFrom("things").select("amount").executeTakeFirst()).toEqual({
      amount: 2n ** 60n + 1n,
    });
  });

  test("gives bytes back as they were, also in a part of a larger buffer", async () => {
    await using db = await openThings(open);
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    await db.kysely
      .insertInto("things")
      .values([
        { id: "all", data: all },
        { id: "part", data: all.subarray(10, 20) },
        { id: "empty", data: new Uint8Array() },
      ])
      .execute();

    const rows = await db.kysely.selectFrom("things").select(["id", "data"]).orderBy("id").execute();

    expect(rows.map((row) => [row.id, [...(row.data ?? [])]])).toEqual([
      ["all", [...all]],
      ["empty", []],
      ["part", [...all.subarray(10, 20)]],
    ]);
  });

  test("keeps any text as it is", async () => {
    await using db = await openThings(open);
    const labels = "quote ' double \" back \\ percent % nul \0 newline \n emoji 😀 ßé";
    await db.kysely.insertInto("things").values({ id: "a", labels }).execute();

    expect(await db.kysely.selectFrom("things").select("labels").executeTakeFirst()).toEqual({ labels });
    expect((await sql<{ joined: string }>`select ${labels} || '!' as joined`.execute(db.kysely)).rows[0]?.joined).toBe(
      `${labels}!`,
    );
  });

  test("tells texts apart by case, accent and trailing space, and sorts them by code point", async () => {
    await using db = await openThings(open);
    const ids = ["a", "A", "á", "a ", "B", "b", "ｚ", "😀"];
    await db.kysely
      .insertInto("things")
      .values(ids.map((id) => ({ id })))
      .execute();

    const rows = await db.kysely.selectFrom("things").select("id").orderBy("id").execute();
    const found = await db.kysely.selectFrom("things").select("id").where("id", "=", "a").execute();

    expect(rows.map((row) => row.id)).toEqual(["A", "B", "a", "a ", "b", "á", "ｚ", "😀"]);
    expect(found).toEqual([{ id: "a" }]);
  });

  test("stores booleans as 0 and 1, and refuses what each database would store differently", async () => {
    await using db = await openThings(open);
    await db.kysely
      .insertInto("things")
      .values({ id: "a", open: sql`${true}` })
      .execute();
    const insert = (value: unknown) =>
      db.kysely
        .insertInto("things")
        .values({ id: "b", labels: sql`${value}` })
        .execute();

    expect(await db.kysely.selectFrom("things").select("open").execute()).toEqual([{ open: 1 }]);
    await expect(insert(new Date())).rejects.toThrow(TypeError);
    await expect(insert({ a: 1 })).rejects.toThrow(TypeError);
    await expect(insert(Number.NaN)).rejects.toThrow(TypeError);
  });

  test("counts the rows that an update matched, changed or not", async () => {
    await using db = await openThings(open);
    await db.kysely
      .insertInto("things")
      .values([{ id: "a" }, { id: "b" }])
      .execute();

    const same = await db.kysely.updateTable("things").set({ open: 0 }).where("id", "=", "a").executeTakeFirst();
    const none = await db.kysely.updateTable("things").set({ open: 1 }).where("id", "=", "x").executeTakeFirst();

    expect([same.numUpdatedRows, none.numUpdatedRows]).toEqual([1n, 0n]);
  });

  test("has a clock in epoch milliseconds, in UTC", async () => {
    await using db = await openThings(open);

    const { rows } = await sql<{ now: number }>`select ${nowMs(db.dialect)} as now`.execute(db.kysely);

    expect(Number.isSafeInteger(rows[0]?.now)).toBe(true);
    expect(Math.abs((rows[0]?.now ?? 0) - Date.now())).toBeLessThan(5000);
  });

  test("tells a taken key from other errors, and goes on after it", async () => {
    await using db = await openThings(open);
    await db.transaction(async (trx) => {
      expect(await insertIgnore(trx, "things", { id: "a", amount: 1 })).toBe(true);
      expect(await insertIgnore(trx, "things", { id: "a", amount: 2 })).toBe(false);
      expect(await insertIgnore(trx, "things", { id: "b" })).toBe(true);
    });

    expect(await db.kysely.selectFrom("things").select(["id", "amount"]).orderBy("id").execute()).toEqual([
      { id: "a", amount: 1 },
      { id: "b", amount: null },
    ]);
    const broken = await sql`insert into things (id, open) values ('c', null)`
      .execute(db.kysely)
      .catch((error) => error);
    expect(Error.isError(broken)).toBe(true);
    expect(isUniqueViolation(broken)).toBe(false);
  });

  test("an upsert overwrites, adds to, or leaves the old row", async () => {
    await using db = await openThings(open);
    const rows = [
      { id: "a", amount: 1, labels: "new" },
      { id: "b", amount: 2, labels: "new" },
    ];
    const insert = () => db.kysely.insertInto("things").values(rows);
    const read = async () =>
      (await db.kysely.selectFrom("things").select(["amount", "labels"]).orderBy("id").execute()).map((row) => [
        row.amount,
        row.labels,
      ]);
    await db.kysely.insertInto("things").values({ id: "a", amount: 10, labels: "old" }).execute();

    await upsert(dialect, insert(), { key: ["id"], update: [] }).execute();
    expect(await read()).toEqual([
      [10, "old"],
      [2, "new"],
    ]);
    await upsert(dialect, insert(), {
      key: ["id"],
      update: { amount: sql`things.amount + ${incoming(dialect, "amount")}` },
    }).execute();
    expect(await read()).toEqual([
      [11, "old"],
      [4, "new"],
    ]);
    await upsert(dialect, insert(), { key: ["id"], update: ["amount", "labels"] }).execute();
    expect(await read()).toEqual([
      [1, "new"],
      [2, "new"],
    ]);
  });

  test("reads texts out of JSON under any key", async () => {
    await using db = await openThings(open);
    const labels = {
      plain: "1",
      "a.b": "2",
      'quote"': "3",
      "back\\slash": "4",
      $: "5",
      "": "6",
      "ä 😀": "7",
      uni: "ß\n",
    };
    await db.kysely
      .insertInto("things")
      .values({ id: "a", labels: JSON.stringify(labels) })
      .execute();

    for (const [key, value] of [...Object.entries(labels), ["missing", null] as const]) {
      const query = db.kysely
        .selectFrom("things")
        .select(jsonText(dialect, sql.ref<string>("labels"), key).as("value"));
      expect(await query.executeTakeFirst()).toEqual({ value });
    }
  });

  test("shows outside a transaction only what is committed, and that at once", async () => {
    await using db = await openThings(open);
    const count = async () => (await db.kysely.selectFrom("things").select("id").execute()).length;

    await db.transaction(async (trx) => {
      await trx.insertInto("things").values({ id: "a" }).execute();
      expect(await count()).toBe(0);
    });

    expect(await count()).toBe(1);
  });

  test("a stream can be left in the middle, and shows one state of the data", async () => {
    await using db = await openThings(open, { maxConnections: 2 });
    await db.kysely
      .insertInto("things")
      .values(Array.from({ length: 500 }, (_, i) => ({ id: `x${i}` })))
      .execute();
    let seen = 0;
    for await (const _ of db.kysely.selectFrom("things").selectAll().stream(10)) {
      seen += 1;
      if (seen === 1) {
        await db.kysely.deleteFrom("things").where("id", "=", "x499").execute();
      }
    }
    expect(seen).toBe(500);

    for (let i = 0; i < 5; i++) {
      for await (const _ of db.kysely.selectFrom("things").selectAll().stream(10)) {
        break;
      }
    }
    expect(await db.kysely.selectFrom("things").select("id").execute()).toHaveLength(499);
  });

  test("tells of every statement, its failure too", async () => {
    const log = createStatementLog();
    await using db = await openThings(open, { onStatement: log.onStatement });
    log.clear();

    await db.transaction((trx) => trx.insertInto("things").values({ id: "a" }).execute());
    await expect(db.kysely.insertInto("things").values({ id: "a" }).execute()).rejects.toThrow();

    expect(log.count(/^begin/)).toBe(dialect === "sqlite" ? 2 : 1);
    expect(log.count(/^commit$/)).toBeGreaterThanOrEqual(1);
    expect(log.count(/insert into/)).toBe(2);
    expect(log.statements.filter((it) => it.error !== undefined)).toHaveLength(1);
    expect(log.statements.every((it) => it.durationMs >= 0)).toBe(true);
  });

  test("can be opened twice and closed once each", async () => {
    await using db = await openThings(open);
    await using second = await openDatabase<Tables>({ url: db.url });
    await db.kysely.insertInto("things").values({ id: "a" }).execute();

    expect(await second.kysely.selectFrom("things").select("id").execute()).toEqual([{ id: "a" }]);
  });
});

test("a database in memory works alike", async () => {
  await using db = await openDatabase<Tables>({ url: "sqlite::memory:" });
  await sql`create table things (id text primary key)`.execute(db.kysely);
  const many = Array.from({ length: 20 }, (_, i) =>
    db.transaction((trx) =>
      trx
        .insertInto("things")
        .values({ id: String(i) })
        .execute(),
    ),
  );
  await Promise.all(many);

  expect(await db.kysely.selectFrom("things").select("id").execute()).toHaveLength(20);
});

test.each([
  "",
  "postgres://x/y",
  "sqlite:",
  "mysql://root@127.0.0.1:1/",
  "mysql://root@127.0.0.1:1/a/b",
  "mysql://root@127.0.0.1:1/a?x=1",
])("the URL %j is refused", async (url) => {
  await expect(openDatabase({ url })).rejects.toThrow(TypeError);
});

test("a server that does not answer is an error at once", async () => {
  await expect(openDatabase({ url: "mysql://root@127.0.0.1:1/a" })).rejects.toThrow("ECONNREFUSED");
});
