import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { CompiledQuery } from "kysely";
import { databaseErrorKind } from "../db/errors.ts";
import { migrate } from "../db/migrate.ts";
import { reasonOf } from "../errors.ts";
import { describeEachDatabase, type OpenTestDatabase } from "../testing/databases.ts";
import { planOf } from "../testing/query-plan.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import type { Command } from "./command.ts";
import type { BatchReport } from "./commands.ts";
import { createSqlText } from "./sql-text.ts";
import {
  type AccountTables,
  accountMigrations,
  accounts,
  add,
  close,
  eventsOf,
  keyOf,
  note,
  open,
  poison,
  RefusedError,
  receipts,
  renumber,
  startCommands,
  stored,
} from "./testing/accounts.ts";

const ids = Array.from({ length: 64 }, (_, n) => `a${String(n).padStart(2, "0")}`);

async function openAccounts(openDatabase: OpenTestDatabase, names: readonly string[], balance = 0) {
  const log = createStatementLog();
  const db = await openDatabase<AccountTables>({ onStatement: log.onStatement });
  await migrate(db, accountMigrations);
  await using commands = startCommands(db);
  await Promise.all(names.map((id) => commands.execute(open(id, { balance }))));
  log.clear();
  return { db, log };
}

describeEachDatabase("commands", (openDatabase) => {
  test("that wait together share one transaction with one statement a table and kind", async () => {
    const { db, log } = await openAccounts(openDatabase, ids);
    await using commands = startCommands(db);

    const balances = await Promise.all(ids.map((id, n) => commands.execute(add(id, n, { receipt: `r${n}` }))));

    expect(balances).toEqual(ids.map((_, n) => n));
    expect(log.count(/^select .* from `accounts`/)).toBe(1);
    expect(log.count(/^select .* from `account_notes`/)).toBe(1);
    expect(log.count(/^select .* from `receipts`/)).toBe(0);
    expect(log.count(/^update `accounts`/)).toBe(1);
    expect(log.count(/^insert into `receipts`/)).toBe(1);
    expect(log.count(/insert into outbox_messages/)).toBe(1);
    expect(log.count(/^commit$/)).toBe(1);
    // begin, accounts, account_notes, the clock, two writes, sequences and events, commit
    expect(log.count()).toBe(9);
    expect(Object.values(await stored(db)).map(({ balance }) => balance)).toEqual(balances);
  });

  test("on one aggregate see each other's changes in the order of their calls, and write its row once", async () => {
    const { db, log } = await openAccounts(openDatabase, ["a"]);
    await using commands = startCommands(db);

    const balances = await Promise.all(Array.from({ length: 50 }, (_, n) => commands.execute(add("a", n))));

    expect(balances).toEqual(Array.from({ length: 50 }, (_, n) => (n * (n + 1)) / 2));
    expect(await stored(db)).toEqual({ a: { number: undefined, balance: 1225, notes: {}, version: 51 } });
    expect(log.count(/^update/)).toBe(1);
    expect(await eventsOf(db, "a")).toEqual(["Opened", ...balances.map((balance) => `Changed ${balance}`)]);
  });

  test("that throw are rejected alone, without their writes, events and functions for after the commit", async () => {
    const { db } = await openAccounts(openDatabase, ["a"], 10);
    await using commands = startCommands(db);
    const ran: string[] = [];
    const leaving = <T>(name: string, command: Command<T>): Command<T> => ({
      keys: command.keys,
      decide(batch) {
        batch.afterCommit(() => ran.push(name));
        return command.decide(batch);
      },
    });

    const outcomes = await Promise.allSettled([
      commands.execute(leaving("first", add("a", -3))),
      commands.execute(leaving("second", add("a", -100, { receipt: "r" }))),
      commands.execute(leaving("third", add("a", -2))),
    ]);

    expect(outcomes).toEqual([
      { status: "fulfilled", value: 7 },
      { status: "rejected", reason: new RefusedError("a has only 7") },
      { status: "fulfilled", value: 5 },
    ]);
    expect(ran).toEqual(["first", "third"]);
    expect(await eventsOf(db, "a")).toEqual(["Opened", "Changed 7", "Changed 5"]);
    expect(await db.kysely.selectFrom("receipts").selectAll().execute()).toEqual([]);
  });

  test("merge what they do to one aggregate: inserted, changed and removed rows of it and its parts", async () => {
    const { db, log } = await openAccounts(openDatabase, ["a", "b"]);
    await using commands = startCommands(db);
    await Promise.all(["x", "y", "z"].map((name) => commands.execute(note("a", name, "old"))));
    log.clear();

    await Promise.all(
      [
        note("a", "x", undefined),
        note("a", "y", "new"),
        note("a", "w", "added"),
        note("a", "v", "added and removed"),
        note("a", "v", undefined),
        open("c", { balance: 5 }),
        add("c", 2),
        close("b"),
        open("b", { balance: 7 }),
        open("d"),
        close("d"),
      ].map((command) => commands.execute<unknown>(command)),
    );

    expect(await stored(db)).toEqual({
      a: { number: undefined, balance: 0, notes: { y: "new", z: "old", w: "added" }, version: 9 },
      b: { number: undefined, balance: 7, notes: {}, version: 1 },
      c: { number: undefined, balance: 7, notes: {}, version: 2 },
    });
    const written = log.statements.map(({ sql }) =>
      /^(insert|update|delete) (into |from |`\w+` from )?`\w+`/.exec(sql)?.[0].replace(/ `\w+` from/, " from"),
    );
    expect(written.filter((it) => it !== undefined)).toEqual([
      "delete from `account_notes`",
      "update `account_notes`",
      "insert into `account_notes`",
      "update `accounts`",
      "insert into `accounts`",
    ]);
  });

  test("find aggregates by a unique index, as earlier commands of the batch left it", async () => {
    const { db } = await openAccounts(openDatabase, []);
    await using commands = startCommands(db);
    await commands.execute(open("a", { number: "1" }));

    const outcomes = await Promise.allSettled([
      commands.execute(renumber("1", "2")),
      commands.execute(renumber("1", "3")),
      commands.execute(renumber("2", "4")),
      commands.execute(open("b", { number: "4" })),
      commands.execute(open("c", { number: "2" })),
      commands.execute(renumber("2", undefined)),
    ]);

    expect(
      outcomes.map((it) => (it.status === "fulfilled" ? it.value : (databaseErrorKind(it.reason) ?? it.reason.name))),
    ).toEqual(["a", "RefusedError", "a", "unique", undefined, "c"]);
    expect(await stored(db)).toMatchObject({ a: { number: "4" }, c: { number: undefined } });
  });

  test("list the aggregates with a value of an index, as earlier commands of the batch left them", async () => {
    const { db, log } = await openAccounts(openDatabase, ["a", "b", "c", "d"], 5);
    await using commands = startCommands(db);
    const withBalance = (balance: number): Command<string[]> => ({
      keys: (need) => need.all(accounts, "balance", ["t", balance]),
      decide: (batch) => batch.list(accounts, "balance", ["t", balance]).map(({ id }) => id),
    });

    const listed = await Promise.all([
      commands.execute(withBalance(5)),
      commands.execute(add("b", 1)),
      commands.execute(close("d")),
      commands.execute(open("e", { balance: 5 })),
      commands.execute(withBalance(5)),
      commands.execute(withBalance(6)),
      commands.execute(withBalance(7)),
    ]);

    expect(listed).toEqual([["a", "b", "c", "d"], 6, undefined, undefined, ["a", "c", "e"], ["b"], []]);
    // By key and by balance.
    expect(log.count(/^select .* from `accounts`/)).toBe(2);
    expect(Object.keys(await stored(db)).sort()).toEqual(["a", "b", "c", "e"]);
    await expect(
      commands.execute({ keys: () => {}, decide: (batch) => batch.list(accounts, "balance", ["t", 5]) }),
    ).rejects.toThrow("did not name");
    await expect(
      commands.execute({ keys: (need) => need.by(accounts, "balance", ["t", 5]), decide: () => {} }),
    ).rejects.toThrow('no unique index "balance"');
  });

  test("must name the keys that they read", async () => {
    const { db } = await openAccounts(openDatabase, ["a", "b"]);
    await using commands = startCommands(db);
    const unnamed = commands.execute({ keys: () => {}, decide: (batch) => batch.get(accounts, keyOf("a")) });
    const named = commands.execute({
      keys: (need) => need.one(accounts, keyOf("a")),
      decide: (batch) => batch.get(accounts, keyOf("a"))?.id,
    });

    await expect(unnamed).rejects.toThrow("The command did not name the key (t, a) of accounts.");
    expect(await named).toBe("a");
  });

  test("cannot be asynchronous", async () => {
    const { db } = await openAccounts(openDatabase, ["a"]);
    await using commands = startCommands(db);

    const late = commands.execute({ keys: () => {}, decide: async () => Promise.reject(new Error("later")) });

    await expect(late).rejects.toThrow("must decide synchronously");
  });

  test("whose keys cannot be collected are rejected and never queued", async () => {
    const { db } = await openAccounts(openDatabase, []);
    await using commands = startCommands(db);
    const refuses = {
      keys() {
        throw new Error("not like this");
      },
      decide: () => {},
    };

    await expect(commands.execute(refuses)).rejects.toThrow("not like this");
  });

  test("that change nothing write nothing", async () => {
    const { db, log } = await openAccounts(openDatabase, ["a"]);
    await using commands = startCommands(db);

    await Promise.all([commands.execute(note("a", "x", "1")), commands.execute(close("a"))]);
    await commands.execute(open("b"));
    log.clear();
    await commands.execute({
      keys: (need) => need.one(accounts, keyOf("b")),
      decide(batch) {
        const account = batch.get(accounts, keyOf("b"));
        if (account !== undefined) {
          batch.update(accounts, { ...account });
        }
      },
    });

    expect(log.count(/^(insert|update|delete)/)).toBe(0);
  });

  test("withdrawn before their batch begins do nothing; after that they complete", async () => {
    const { db } = await openAccounts(openDatabase, ["a"]);
    await using commands = startCommands(db, { maxCommands: 1 });
    const early = new AbortController();
    const late = new AbortController();
    const first: Command<void> = {
      keys: (need) => need.one(accounts, keyOf("a")),
      decide() {
        early.abort(new Error("withdrawn"));
        late.abort(new Error("too late"));
      },
    };

    const outcomes = await Promise.allSettled([
      commands.execute(first, { signal: late.signal }),
      commands.execute(add("a", 1), { signal: early.signal }),
      commands.execute(add("a", 2)),
      commands.execute(add("a", 4), { signal: AbortSignal.abort(new Error("aborted before")) }),
    ]);

    expect(outcomes.map((it) => (it.status === "fulfilled" ? it.value : it.reason.message))).toEqual([
      undefined,
      "withdrawn",
      2,
      "aborted before",
    ]);
    expect(await stored(db)).toMatchObject({ a: { balance: 2 } });
  });

  test("are taken in bounded batches, between which others have their turn", async () => {
    const { db, log } = await openAccounts(openDatabase, ["a", "b"]);
    await using commands = startCommands(db, { maxCommands: 10, maxKeys: 15 });
    const order: string[] = [];
    const flood = Array.from({ length: 100 }, () => commands.execute(add("a", 1)));
    const last = commands.execute(add("b", 1)).then(() => order.push("last command"));
    // The second one waits for the writer of SQLite, and on MariaDB for nothing.
    const transaction = nextTurn().then(() =>
      db
        .transaction((trx) => trx.insertInto("receipts").values({ tenant_id: "t", id: "r", balance: 1 }).execute())
        .then(() => order.push("transaction")),
    );

    await Promise.all([...flood, last, transaction]);

    expect(order).toEqual(["transaction", "last command"]);
    expect(log.count(/^update `accounts`/)).toBe(11);
    log.clear();
    const wide: Command<void> = {
      keys: (need) => {
        for (let n = 0; n < 8; n++) {
          need.one(receipts, keyOf(`r${n}`));
        }
      },
      decide: () => {},
    };
    await Promise.all([wide, wide, wide].map((it) => commands.execute(it)));
    expect(log.count(/^commit$/)).toBe(3);
  });

  test("load and write more rows than a statement holds with several", async () => {
    const { db, log } = await openAccounts(openDatabase, []);
    await using commands = startCommands(db);
    const many = Array.from({ length: 1200 }, (_, n) => `r${String(n).padStart(4, "0")}`);
    const all = (balance: number): Command<number> => ({
      keys(need) {
        for (const id of many) {
          need.one(receipts, keyOf(id));
        }
      },
      decide(batch) {
        let found = 0;
        for (const id of many) {
          const known = batch.get(receipts, keyOf(id)) !== undefined;
          found += known ? 1 : 0;
          batch[known ? "update" : "insert"](receipts, { id, balance });
        }
        return found;
      },
    });

    expect(await commands.execute(all(1))).toBe(0);
    expect(await commands.execute(all(2))).toBe(1200);
    const remove: Command<void> = {
      keys: all(0).keys,
      decide: (batch) => many.slice(1).forEach((id) => void batch.delete(receipts, keyOf(id))),
    };
    await commands.execute(remove);

    expect(log.count(/^insert into `receipts`/)).toBe(3);
    expect(log.count(/^update `receipts`/)).toBe(3);
    expect(log.count(/^delete .*from `receipts`/)).toBe(3);
    const left = await db.kysely.selectFrom("receipts").select(["id", "balance"]).execute();
    expect(left).toEqual([{ id: "r0000", balance: 2 }]);
  });

  test("with long values are written in several statements", async () => {
    const { db, log } = await openAccounts(openDatabase, ["a"]);
    await using commands = startCommands(db);
    const data = new Uint8Array(1_000_000).fill(0xff);
    const publish: Command<void> = {
      keys: () => {},
      decide: (batch) => batch.publish({ tenant: "t", aggregate: "accounts/a", type: "docket.test.v1.Long", data }),
    };

    await Promise.all(Array.from({ length: 12 }, () => commands.execute(publish)));

    expect(log.count(/insert into outbox_messages/)).toBeGreaterThan(1);
    expect(await eventsOf(db, "a")).toHaveLength(13);
  });

  test("find rows by their keys, however many there are", async () => {
    const { db } = await openAccounts(
      openDatabase,
      Array.from({ length: 400 }, (_, n) => `b${n}`),
    );
    const { root, parts } = accounts;
    const text = createSqlText(db.dialect);
    const plan = (sql: string, columns: readonly string[], count: number) => {
      const values = Array.from({ length: count }, (_, n) =>
        columns.map((column) => (column === "id" ? `b${n}` : "t")),
      );
      return planOf(db, { compile: () => CompiledQuery.raw(sql, values.flat()) });
    };
    for (const count of [1, 2, 256]) {
      for (const [table, columns] of [
        [root, root.key],
        [root, ["tenant_id", "number"]],
        ...parts.map((part) => [part, part.key.slice(0, 2)] as const),
      ] as const) {
        const select = text.select(table, columns, {
          count,
          lock: true,
          index: columns === table.key ? table.keyIndex : undefined,
        });
        expect((await plan(select, columns, count)).fullScans).toEqual([]);
      }
      const update = [...root.values, ...root.key, "version"];
      expect((await plan(text.update(root, count), update, count)).fullScans).not.toContain("accounts");
      expect((await plan(text.delete(root, count), root.key, count)).fullScans).not.toContain("accounts");
    }
  });

  test("are refused while the processor stops, which waits for those that it accepted", async () => {
    const { db } = await openAccounts(openDatabase, ["a"]);
    const commands = startCommands(db, { maxCommands: 1 });
    const accepted = [1, 2, 3].map((amount) => commands.execute(add("a", amount)));

    const stopped = commands[Symbol.asyncDispose]();
    const refused = await commands.execute(add("a", 100)).catch(reasonOf);
    await stopped;

    expect(refused).toBe("SHUTTING_DOWN");
    expect(await stored(db)).toMatchObject({ a: { balance: 6 } });
    expect(await Promise.all(accepted)).toEqual([1, 3, 6]);
    await commands[Symbol.asyncDispose]();
  });

  test("beyond the bound of waiting commands are refused, and nothing of them is stored", async () => {
    const { db } = await openAccounts(openDatabase, []);
    await using commands = startCommands(db, { maxWaiting: 4 });

    const outcomes = await Promise.allSettled(
      ["a", "b", "c"].map((id) => commands.execute(open(id), { tenant: "one" })),
    );
    const other = commands.execute(open("d"), { tenant: "two" });

    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    expect(reasonOf((outcomes[2] as PromiseRejectedResult).reason)).toBe("OVERLOADED");
    await other;
    expect(Object.keys(await stored(db)).sort()).toEqual(["a", "b", "d"]);
  });

  test("are reported batch by batch: how many there were, their statements and what the database refused", async () => {
    const batches: BatchReport[] = [];
    const { db } = await openAccounts(openDatabase, []);
    const commands = startCommands(db, { onBatch: (batch) => batches.push(batch) });

    await Promise.all([commands.execute(open("a")), commands.execute(open("b"))]);
    await Promise.allSettled([commands.execute(add("a", 1)), commands.execute(poison("b"))]);
    await commands[Symbol.asyncDispose]();

    // accounts; accounts; the outbox's sequences and events.
    expect(batches[0]).toMatchObject({ commands: 2, waiting: 0, attempts: 1, statements: 4, rejected: 0 });
    expect(batches[1]).toMatchObject({ commands: 2, waiting: 0, attempts: 3, rejected: 1 });
    expect(batches[0]?.waitMs).toBeGreaterThanOrEqual(0);
  });

  test("survive a function that throws after their commit", async () => {
    const { db } = await openAccounts(openDatabase, ["a"]);
    await using commands = startCommands(db);
    let ran = false;
    const throwing: Command<void> = {
      keys: () => {},
      decide(batch) {
        batch.afterCommit(() => {
          throw new Error("not now");
        });
        batch.afterCommit(() => {
          ran = true;
        });
      },
    };

    await commands.execute(throwing);

    expect(await commands.execute(add("a", 1))).toBe(1);
    expect(ran).toBe(true);
  });
});
