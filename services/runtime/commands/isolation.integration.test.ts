import { expect, test } from "@jest/globals";
import type { Database } from "../db/connect.ts";
import { openDatabase as openAnyDatabase } from "../db/connect.ts";
import { CommitUnknownError, databaseErrorKind } from "../db/errors.ts";
import { migrate } from "../db/migrate.ts";
import { startCutProxy } from "../testing/cut-proxy.ts";
import { describeEachDatabase, describeMariadb, describeSqlite, type OpenTestDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import type { Command } from "./command.ts";
import { createSqlText } from "./sql-text.ts";
import { createStatements, RowMissingError } from "./statements.ts";
import {
  type AccountTables,
  accountMigrations,
  accounts,
  add,
  eventsOf,
  keyOf,
  open,
  poison,
  receipts,
  startCommands,
  stored,
} from "./testing/accounts.ts";

async function openAccounts(
  openDatabase: OpenTestDatabase,
  names: readonly string[],
  options: Parameters<OpenTestDatabase>[0] = {},
) {
  const log = createStatementLog();
  const db = await openDatabase<AccountTables>({ onStatement: log.onStatement, ...options });
  await migrate(db, accountMigrations);
  await using commands = startCommands(db);
  await Promise.all(names.map((id) => commands.execute(open(id, { balance: 10 }))));
  log.clear();
  return { db, log };
}

const results = (outcomes: readonly PromiseSettledResult<unknown>[]) =>
  outcomes.map((it) => (it.status === "fulfilled" ? it.value : "rejected"));

describeEachDatabase("a batch", (openDatabase) => {
  test("with rows that the database refuses rejects only the commands that want them", async () => {
    const { db } = await openAccounts(openDatabase, ["a", "b"]);
    await using commands = startCommands(db);

    const outcomes = await Promise.allSettled(
      [add("a", 1), poison("a"), add("a", 2), poison("b"), poison("b"), add("b", 3)].map((it) =>
        commands.execute<unknown>(it),
      ),
    );

    expect(results(outcomes)).toEqual([11, "rejected", 13, "rejected", "rejected", 13]);
    expect(await stored(db)).toMatchObject({ a: { balance: 13 }, b: { balance: 13 } });
    expect(await eventsOf(db, "a")).toEqual(["Opened", "Changed 11", "Changed 13"]);
  });

  test("of any size needs no more than two attempts a halving for one refused row", async () => {
    const { db, log } = await openAccounts(openDatabase, ["a"]);
    await using commands = startCommands(db);

    const outcomes = await Promise.allSettled(
      Array.from({ length: 128 }, (_, n) => commands.execute<unknown>(n === 77 ? poison("a") : add("a", 1))),
    );

    expect(results(outcomes).filter((it) => it === "rejected")).toHaveLength(1);
    expect(results(outcomes)[77]).toBe("rejected");
    expect(await stored(db)).toMatchObject({ a: { balance: 137 } });
    expect(log.count(/^begin/)).toBeLessThanOrEqual(1 + 2 * Math.log2(128));
  });

  test("whose commands all want refused rows rejects them all, and the next one continues", async () => {
    const { db } = await openAccounts(openDatabase, ["a"]);
    await using commands = startCommands(db);

    const outcomes = await Promise.allSettled(Array.from({ length: 16 }, () => commands.execute(poison("a"))));

    expect(new Set(results(outcomes))).toEqual(new Set(["rejected"]));
    expect(await commands.execute(add("a", 1))).toBe(11);
  });

  test("with a unique value that a row outside of it has rejects only the command that wants it", async () => {
    const { db } = await openAccounts(openDatabase, []);
    await using commands = startCommands(db);
    await commands.execute(open("a", { number: "1" }));

    const outcomes = await Promise.allSettled([
      commands.execute(open("b", { number: "2" })),
      commands.execute(open("c", { number: "1" })),
      commands.execute(open("d", { number: "3" })),
    ]);

    expect(results(outcomes)).toEqual([undefined, "rejected", undefined]);
    expect(outcomes.map((it) => (it.status === "rejected" ? databaseErrorKind(it.reason) : ""))).toEqual([
      "",
      "unique",
      "",
    ]);
    expect(Object.keys(await stored(db))).toEqual(["a", "b", "d"]);
  });

  test("with keys that were expected to be new runs again and finds what they name", async () => {
    const { db, log } = await openAccounts(openDatabase, ["a"]);
    await using commands = startCommands(db);
    await commands.execute(add("a", 1, { receipt: "r" }));
    log.clear();

    const balances = await Promise.all([
      commands.execute(add("a", 1, { receipt: "s" })),
      commands.execute(add("a", 1, { receipt: "r" })),
      commands.execute(add("a", 1, { receipt: "s" })),
      commands.execute(add("a", 1)),
    ]);

    expect(balances).toEqual([12, 11, 12, 13]);
    expect(log.count(/^begin/)).toBe(2);
  });

  test("looks for the keys that were expected to be new of commands that throw", async () => {
    const { db, log } = await openAccounts(openDatabase, ["a"]);
    await using commands = startCommands(db);
    expect(await commands.execute(add("a", -10, { receipt: "r" }))).toBe(0);
    log.clear();

    // Without the receipt it would be refused now.
    expect(await commands.execute(add("a", -10, { receipt: "r" }))).toBe(0);
    await expect(commands.execute(add("a", -10, { receipt: "s" }))).rejects.toThrow("a has only 0");

    expect(log.count(/^begin/)).toBe(2);
    expect(log.count(/^select .* from `receipts`/)).toBe(2);
  });

  test("checks that the rows it updates are in the version in which they were loaded", async () => {
    const { db } = await openAccounts(openDatabase, ["a", "b"]);
    const row = (id: string) => ({ tenant_id: "t", id, number: null, balance: 0, version: 8 });
    const update = (expected: number) =>
      db.transaction((trx) =>
        createStatements(trx, createSqlText(db.dialect)).update(
          accounts.root,
          ["a", "b"].map((id) => ({ row: row(id), key: keyOf(id), expectedVersion: id === "a" ? 1 : expected })),
        ),
      );

    await expect(update(7)).rejects.toThrow(RowMissingError);
    expect(await stored(db)).toMatchObject({ a: { version: 1 }, b: { version: 1 } });
    await update(1);
    expect(await stored(db)).toMatchObject({ a: { version: 8 }, b: { version: 8 } });
  });
});

describeSqlite("a batch", (openDatabase) => {
  test("that another process keeps from writing is repeated, and rejected in the end", async () => {
    const { db, log } = await openAccounts(openDatabase, ["a"], { lockWaitMs: 5, random: () => 0.1 });
    await using other = await openAnyDatabase<AccountTables>({ url: db.url });
    await using commands = startCommands(db);
    const done = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const holder = other.transaction(async () => {
      begun.resolve();
      await done.promise;
    });
    await begun.promise;

    const outcomes = await Promise.allSettled([commands.execute(add("a", 1)), commands.execute(add("a", 2))]);
    done.resolve();
    await holder;

    const kinds = outcomes.map((it) => (it.status === "rejected" ? databaseErrorKind(it.reason) : ""));
    expect(kinds).toEqual(["conflict", "conflict"]);
    expect(log.statements.map(({ error }) => databaseErrorKind(error))).toEqual(log.statements.map(() => "conflict"));
    expect(await commands.execute(add("a", 4))).toBe(14);
  });
});

describeMariadb("a batch", (openDatabase) => {
  test("that meets a deadlock is repeated as a whole", async () => {
    const locked = Promise.withResolvers<void>();
    let armed = false;
    const log = createStatementLog();
    const { db } = await openAccounts(openDatabase, ["a"], {
      onStatement(statement) {
        log.onStatement(statement);
        if (armed && /^select .* from `accounts` .* for update/.test(statement.sql)) {
          locked.resolve();
        }
      },
    });
    await using other = await openAnyDatabase<AccountTables>({ url: db.url });
    await using commands = startCommands(db);
    const values = Array.from({ length: 50 }, (_, n) => ({ tenant_id: "t", id: `r${n}`, balance: 0 }));
    await db.kysely.insertInto("receipts").values(values).execute();
    let decided = 0;
    const both: Command<number> = {
      keys(need) {
        need.one(accounts, keyOf("a"));
        need.one(receipts, keyOf("r0"));
      },
      decide(batch) {
        decided += 1;
        return Number(batch.get(receipts, keyOf("r0"))?.balance);
      },
    };
    const receiptsLocked = Promise.withResolvers<void>();
    // It has written much more, so that the database rolls back the batch and not this.
    const crossing = other.transaction(async (trx) => {
      await trx.updateTable("receipts").set({ balance: 7 }).execute();
      receiptsLocked.resolve();
      await locked.promise;
      await trx.updateTable("accounts").set({ balance: 20 }).execute();
    });
    await receiptsLocked.promise;
    log.clear();
    armed = true;

    const balances = await Promise.all([commands.execute(both), commands.execute(add("a", 1))]);
    await crossing;

    expect(balances).toEqual([7, 21]);
    expect(decided).toBe(1);
    expect(log.statements.flatMap(({ error }) => databaseErrorKind(error) ?? [])).toEqual(["conflict"]);
  });

  test("whose COMMIT is not answered rejects all its commands, which can be repeated by their keys", async () => {
    const { db } = await openAccounts(openDatabase, ["a"]);
    await using link = await openThroughProxy(db);
    await using commands = startCommands(link.db);
    const all = () =>
      Promise.allSettled([
        commands.execute(add("a", 1, { receipt: "r" })),
        commands.execute(add("a", -100)),
        commands.execute(add("a", 2, { receipt: "s" })),
      ]);

    link.proxy.cutAnswerTo("commit");
    const lost = await all();
    const repeated = await all();

    expect(lost.map((it) => it.status === "rejected" && it.reason)).toEqual(
      Array(3).fill(expect.any(CommitUnknownError)),
    );
    expect(results(repeated)).toEqual([11, "rejected", 13]);
    expect(await stored(db)).toMatchObject({ a: { balance: 13 } });
  });

  test("whose connection breaks before COMMIT is repeated", async () => {
    const { db } = await openAccounts(openDatabase, ["a"]);
    await using link = await openThroughProxy(db);
    await using commands = startCommands(link.db);
    let decided = 0;
    const cut: Command<void> = {
      keys: (need) => need.one(accounts, keyOf("a")),
      decide() {
        decided += 1;
        if (decided === 1) {
          link.proxy.cutAll();
        }
      },
    };

    const outcomes = await Promise.allSettled([commands.execute(cut), commands.execute(add("a", 1))]);

    expect(results(outcomes)).toEqual([undefined, 11]);
    expect(decided).toBe(2);
    expect(await stored(db)).toMatchObject({ a: { balance: 11 } });
  });
});

async function openThroughProxy({ url }: Database<AccountTables> & { url: string }) {
  const address = new URL(url);
  const proxy = await startCutProxy(Number(address.port));
  address.port = String(proxy.port);
  const db = await openAnyDatabase<AccountTables>({ url: address.href, maxConnections: 4 });
  return {
    db,
    proxy,
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}
