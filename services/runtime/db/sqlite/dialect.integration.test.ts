import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { describeSqlite, type OpenTestDatabase } from "../../testing/databases.ts";
import { createStatementLog } from "../../testing/statement-log.ts";
import { until } from "../../testing/until.ts";
import { openDatabase } from "../connect.ts";

interface Tables {
  entries: { account: string; n: number };
}

async function openEntries(open: OpenTestDatabase, options: Parameters<OpenTestDatabase>[0] = {}) {
  const db = await open<Tables>(options);
  await sql`create table entries (account text, n integer, primary key (account, n))`.execute(db.kysely);
  return db;
}

describeSqlite("group commit", (open) => {
  test("lets transactions of one turn of the event loop share a COMMIT", async () => {
    const log = createStatementLog();
    await using db = await openEntries(open, { onStatement: log.onStatement });
    log.clear();

    const transactions = Array.from({ length: 50 }, (_, n) =>
      db.transaction((trx) => trx.insertInto("entries").values({ account: "a", n }).execute()),
    );
    await Promise.all(transactions);

    expect(log.count(/^commit$/)).toBe(1);
    expect(log.count(/insert/)).toBe(50);
  });

  test("lets single statements join in", async () => {
    const log = createStatementLog();
    await using db = await openEntries(open, { onStatement: log.onStatement });
    log.clear();

    await Promise.all([
      db.kysely.insertInto("entries").values({ account: "a", n: 1 }).execute(),
      db.kysely.insertInto("entries").values({ account: "a", n: 2 }).execute(),
      db.kysely.updateTable("entries").set({ n: 3 }).where("n", "=", 2).execute(),
    ]);

    expect(log.count(/^commit$/)).toBe(1);
    expect(await db.kysely.selectFrom("entries").select("n").orderBy("n").execute()).toEqual([{ n: 1 }, { n: 3 }]);
  });

  test("undoes a failed transaction and keeps its neighbours", async () => {
    await using db = await openEntries(open);

    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, n) =>
        db.transaction(async (trx) => {
          await trx.insertInto("entries").values({ account: "a", n }).execute();
          await trx.insertInto("entries").values({ account: "b", n }).execute();
          if (n % 3 === 0) {
            throw new Error("no");
          }
        }),
      ),
    );

    const kept = outcomes.flatMap(({ status }, n) => (status === "fulfilled" ? [n] : []));
    expect(kept).toEqual(Array.from({ length: 30 }, (_, n) => n).filter((n) => n % 3 !== 0));
    for (const account of ["a", "b"]) {
      const rows = await db.kysely
        .selectFrom("entries")
        .select("n")
        .where("account", "=", account)
        .orderBy("n")
        .execute();
      expect(rows.map((row) => row.n)).toEqual(kept);
    }
  });

  test("tells every transaction of a COMMIT that failed", async () => {
    await using db = await openEntries(open);
    await sql`create table parents (id integer primary key)`.execute(db.kysely);
    const deferred = sql`references parents (id) deferrable initially deferred`;
    await sql`create table children (parent integer ${deferred})`.execute(db.kysely);

    const outcomes = await Promise.allSettled([
      db.transaction((trx) => trx.insertInto("entries").values({ account: "a", n: 1 }).execute()),
      db.transaction((trx) => sql`insert into children values (7)`.execute(trx)),
      db.transaction((trx) => trx.insertInto("entries").values({ account: "a", n: 2 }).execute()),
    ]);
    await db.transaction((trx) => trx.insertInto("entries").values({ account: "a", n: 3 }).execute());

    expect(outcomes.map((it) => it.status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(await db.kysely.selectFrom("entries").selectAll().execute()).toEqual([{ account: "a", n: 3 }]);
  });

  test("commits what is under way before the database closes", async () => {
    const db = await openEntries(open);
    const writing = db.transaction((trx) => trx.insertInto("entries").values({ account: "a", n: 1 }).execute());
    const second = await openDatabase<Tables>({ url: db.url });
    await db.kysely.destroy();

    await writing;
    expect(await second.kysely.selectFrom("entries").selectAll().execute()).toHaveLength(1);
    await second[Symbol.asyncDispose]();
  });

  test("names a transaction inside another instead of waiting for ever", async () => {
    await using db = await openEntries(open, { lockWaitMs: 100 });

    const nested = db.transaction(() => db.transaction(async () => {}));

    await expect(nested).rejects.toThrow("db.transaction was called inside it");
    await db.transaction((trx) => trx.insertInto("entries").values({ account: "a", n: 1 }).execute());
  });
});

describeSqlite("two processes", (open) => {
  test("write the same file in turns", async () => {
    await using db = await openEntries(open);
    const other = await startWriter(db.url, 200);
    const done = once(other.child, "exit");

    for (let n = 0; n < 200; n++) {
      await db.transaction(async (trx) => {
        await trx.insertInto("entries").values({ account: "parent", n }).execute();
      });
    }
    await done;

    const rows = await db.kysely
      .selectFrom("entries")
      .select(({ fn }) => ["account", fn.countAll<number>().as("n")])
      .groupBy("account")
      .orderBy("account")
      .execute();
    expect(rows).toEqual([
      { account: "child-a", n: 200 },
      { account: "child-b", n: 200 },
      { account: "parent", n: 200 },
    ]);
  }, 30_000);

  test("of which one is killed in the middle leave whole transactions, and all that were acknowledged", async () => {
    await using db = await openEntries(open);
    for (let round = 0; round < 5; round++) {
      await db.kysely.deleteFrom("entries").execute();
      const { child, acknowledged } = await startWriter(db.url, 100_000);
      await until(() => acknowledged() > 0);
      await new Promise((resolve) => setTimeout(resolve, round * 17));
      child.kill("SIGKILL");
      await once(child, "exit");

      const count = async (account: string) =>
        (await db.kysely.selectFrom("entries").select("n").where("account", "=", account).orderBy("n").execute()).map(
          (row) => row.n,
        );
      const [a, b] = [await count("child-a"), await count("child-b")];
      expect(a).toEqual(b);
      expect(a).toEqual(Array.from(a, (_, n) => n));
      expect(a.length).toBeGreaterThanOrEqual(acknowledged());
      expect(acknowledged()).toBeGreaterThan(0);
      const { rows } = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(db.kysely);
      expect(rows).toEqual([{ integrity_check: "ok" }]);
    }
  }, 30_000);
});

/** A process that writes transactions of two rows, one after another, and says after each how many are acknowledged. */
async function startWriter(url: string, transactions: number) {
  const script = `
    import { openDatabase } from ${JSON.stringify(import.meta.resolve("../connect.ts"))};
    const db = await openDatabase({ url: ${JSON.stringify(url)} });
    console.log("0");
    for (let n = 0; n < ${transactions}; n++) {
      await db.transaction(async (trx) => {
        await trx.insertInto("entries").values({ account: "child-a", n }).execute();
        await trx.insertInto("entries").values({ account: "child-b", n }).execute();
      });
      console.log(String(n + 1));
    }
    await db[Symbol.asyncDispose]();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let acknowledged = 0;
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    acknowledged = Number(line);
  });
  await once(lines, "line");
  return { child, acknowledged: () => acknowledged };
}
