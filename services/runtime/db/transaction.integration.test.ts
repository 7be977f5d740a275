import { expect, test } from "@jest/globals";
import { type Kysely, sql } from "kysely";
import { startCutProxy } from "../testing/cut-proxy.ts";
import { describeEachDatabase, describeMariadb, type OpenTestDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import { int, notNull, text } from "./columns.ts";
import { openDatabase } from "./connect.ts";
import { databaseErrorKind } from "./errors.ts";
import { migrate } from "./migrate.ts";
import { forUpdate } from "./sql.ts";

interface Tables {
  counters: { id: string; value: number };
}

async function openCounters(open: OpenTestDatabase, options: Parameters<OpenTestDatabase>[0] = {}) {
  const db = await open<Tables>(options);
  await migrate(db, {
    "0001": {
      async up({ schema }) {
        await schema
          .createTable("counters")
          .ifNotExists()
          .addColumn("id", text(40), (column) => column.primaryKey())
          .addColumn("value", int, notNull)
          .execute();
      },
    },
  });
  await db.kysely
    .insertInto("counters")
    .values([
      { id: "a", value: 0 },
      { id: "b", value: 0 },
    ])
    .execute();
  return db;
}

const add = (kysely: Kysely<Tables>, id: string) =>
  kysely
    .updateTable("counters")
    .set(({ eb }) => ({ value: eb("value", "+", 1) }))
    .where("id", "=", id)
    .execute();

const values = async (kysely: Kysely<Tables>) =>
  (await kysely.selectFrom("counters").select("value").orderBy("id").execute()).map((row) => row.value);

describeEachDatabase("a transaction", (open, dialect) => {
  test("is kept as a whole or not at all", async () => {
    await using db = await openCounters(open);

    await db.transaction((trx) => add(trx, "a"));
    const failing = db.transaction(async (trx) => {
      await add(trx, "a");
      await add(trx, "b");
      throw new Error("changed my mind");
    });

    await expect(failing).rejects.toThrow("changed my mind");
    expect(await values(db.kysely)).toEqual([1, 0]);
  });

  test("goes on after an error of one statement that it catches", async () => {
    await using db = await openCounters(open);

    await db.transaction(async (trx) => {
      await expect(trx.insertInto("counters").values({ id: "a", value: 9 }).execute()).rejects.toThrow();
      await add(trx, "b");
    });

    expect(await values(db.kysely)).toEqual([0, 1]);
  });

  test("loses nothing when hundreds read and write the same row at once", async () => {
    await using db = await openCounters(open);
    const increment = () =>
      db.transaction(async (trx) => {
        const query = trx.selectFrom("counters").select("value").where("id", "=", "a");
        const { value } = await forUpdate(dialect, query).executeTakeFirstOrThrow();
        await trx
          .updateTable("counters")
          .set({ value: value + 1 })
          .where("id", "=", "a")
          .execute();
      });

    await Promise.all(Array.from({ length: 300 }, increment));

    expect(await values(db.kysely)).toEqual([300, 0]);
  });

  test("is not begun with a signal that is aborted, and not committed when it is aborted inside", async () => {
    await using db = await openCounters(open);
    const before = AbortSignal.abort(new Error("too late"));
    const inside = new AbortController();

    await expect(db.transaction((trx) => add(trx, "a"), { signal: before })).rejects.toThrow("too late");
    const aborted = db.transaction(
      async (trx) => {
        await add(trx, "a");
        inside.abort(new Error("gave up"));
      },
      { signal: inside.signal },
    );

    await expect(aborted).rejects.toThrow("gave up");
    expect(await values(db.kysely)).toEqual([0, 0]);
  });

  test("waits for another one for its time, and is then repeated", async () => {
    const timedOut = Promise.withResolvers<void>();
    await using db = await openCounters(open, {
      lockWaitMs: 1000,
      onStatement: ({ error, durationMs }) => databaseErrorKind(error) === "conflict" && release(durationMs),
    });
    let waitedMs = 0;
    const release = (durationMs: number) => {
      waitedMs += durationMs;
      timedOut.resolve();
    };
    await using other = await openDatabase<Tables>({ url: db.url });
    const locked = Promise.withResolvers<void>();
    const holder = other.transaction(async (trx) => {
      await add(trx, "a");
      locked.resolve();
      await timedOut.promise;
    });
    await locked.promise;

    await Promise.all([holder, db.transaction((trx) => add(trx, "a"))]);

    expect(dialect === "mysql" ? waitedMs > 900 : waitedMs < 900).toBe(true);
    expect(await values(db.kysely)).toEqual([2, 0]);
  });
});

describeMariadb("a transaction", (open) => {
  test("that meets a deadlock is repeated until all have their way", async () => {
    const log = createStatementLog();
    await using db = await openCounters(open, { onStatement: log.onStatement });
    const attempts = { ab: 0, ba: 0 };
    const bothHoldOne = Promise.withResolvers<void>();
    const cross = (name: "ab" | "ba", first: string, second: string) =>
      db.transaction(async (trx) => {
        attempts[name] += 1;
        await add(trx, first);
        if (attempts.ab + attempts.ba >= 2) {
          bothHoldOne.resolve();
        }
        await bothHoldOne.promise;
        await add(trx, second);
      });

    await Promise.all([cross("ab", "a", "b"), cross("ba", "b", "a")]);

    expect(await values(db.kysely)).toEqual([2, 2]);
    expect(attempts.ab + attempts.ba).toBe(3);
    const failures = log.statements.flatMap((it) => (it.error === undefined ? [] : [databaseErrorKind(it.error)]));
    expect(failures).toEqual(["conflict"]);
  });

  test("whose connection breaks before COMMIT is repeated", async () => {
    await using db = await openCounters(open);
    const { db: proxied, proxy } = await openThroughProxy(db.url);
    await using _proxy = proxy;
    await using _db = proxied;
    let attempts = 0;

    await proxied.transaction(async (trx) => {
      attempts += 1;
      await add(trx, "a");
      if (attempts === 1) {
        proxy.cutAll();
      }
      await add(trx, "b");
    });

    expect(attempts).toBe(2);
    expect(await values(db.kysely)).toEqual([1, 1]);
  });

  test("whose COMMIT is not answered says that the outcome is unknown, and is not repeated", async () => {
    await using db = await openCounters(open);
    const { db: proxied, proxy } = await openThroughProxy(db.url);
    await using _proxy = proxy;
    await using _db = proxied;
    let attempts = 0;

    proxy.cutAnswerTo("commit");
    const outcome = await proxied
      .transaction(async (trx) => {
        attempts += 1;
        await add(trx, "a");
      })
      .catch(databaseErrorKind);

    expect(outcome).toBe("commit-unknown");
    expect(attempts).toBe(1);
    expect(await values(db.kysely)).toEqual([1, 0]);
    expect(await values(proxied.kysely)).toEqual([1, 0]);
  });

  test("sees what others commit meanwhile: READ COMMITTED", async () => {
    await using db = await openCounters(open);

    const seen = await db.transaction(async (trx) => {
      const first = await values(trx);
      await db.transaction((other) => add(other, "a"));
      return [first, await values(trx)];
    });

    expect(seen).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });

  test("of a session that was prepared as it should be", async () => {
    await using db = await openCounters(open);

    const { rows } = await sql`select @@session.time_zone as zone, @@session.sql_mode as mode`.execute(db.kysely);
    const tooLong = db.kysely
      .insertInto("counters")
      .values({ id: "x".repeat(41), value: 0 })
      .execute();

    expect(rows).toEqual([{ zone: "+00:00", mode: expect.stringContaining("STRICT_ALL_TABLES") }]);
    await expect(tooLong).rejects.toThrow("too long");
  });
});

async function openThroughProxy(url: string) {
  const address = new URL(url);
  const proxy = await startCutProxy(Number(address.port));
  address.port = String(proxy.port);
  return { db: await openDatabase<Tables>({ url: address.href, maxConnections: 4 }), proxy };
}
