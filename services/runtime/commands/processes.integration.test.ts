import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "@jest/globals";
import type { Database } from "../db/connect.ts";
import { migrate } from "../db/migrate.ts";
import { describeEachDatabase, type OpenTestDatabase } from "../testing/databases.ts";
import { type AccountTables, accountMigrations, eventsOf, open, startCommands, stored } from "./testing/accounts.ts";
import { accountOf, type Boundary, type WorkerMessage, type WorkerOptions } from "./testing/worker.ts";

const children = new Set<ChildProcess>();

afterEach(() => {
  for (const child of children) {
    child.kill("SIGKILL");
  }
  children.clear();
});

/** Runs a worker to its end. */
async function runWorker(options: WorkerOptions) {
  const child = fork(new URL("./testing/worker.ts", import.meta.url), [JSON.stringify(options)], {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  children.add(child);
  const results: WorkerMessage[] = [];
  child.on("message", (message) => results.push(message as WorkerMessage));
  const [code, signal] = await once(child, "exit");
  children.delete(child);
  return { results, end: signal ?? code };
}

const receipts = 200;
const names = ["a0", "a1", "a2"];

async function openAccounts(openDatabase: OpenTestDatabase) {
  const db = await openDatabase<AccountTables>();
  await migrate(db, accountMigrations);
  await using commands = startCommands(db);
  await Promise.all(names.map((id) => commands.execute(open(id))));
  return db;
}

/** Each receipt must have had its effect once: the balances of an account count from 1 without a gap or a repetition. */
async function expectEachOnce(db: Database<AccountTables>) {
  const rows = await db.kysely.selectFrom("receipts").select(["id", "balance"]).execute();
  const now = await stored(db);
  expect(rows).toHaveLength(receipts);
  for (const id of names) {
    const own = rows.filter((row) => accountOf(Number(row.id.slice(1)), names.length) === id);
    const counted = own.map(({ balance }) => Number(balance)).sort((a, b) => a - b);
    const expected = own.map((_, at) => at + 1);
    expect(counted).toEqual(expected);
    expect(now[id]?.balance).toBe(own.length);
    expect(await eventsOf(db, id)).toEqual(["Opened", ...expected.map((balance) => `Changed ${balance}`)]);
  }
  return Object.fromEntries(rows.map(({ id, balance }) => [id, Number(balance)]));
}

describeEachDatabase("commands of several processes", (openDatabase) => {
  test("that race for the same idempotency keys have one effect and one result each", async () => {
    await using db = await openAccounts(openDatabase);
    const options = { url: db.url, receipts, accounts: names.length };

    const workers = await Promise.all([runWorker(options), runWorker(options)]);

    const balances = await expectEachOnce(db);
    for (const { results, end } of workers) {
      expect(end).toBe(0);
      expect(Object.fromEntries(results.map(({ receipt, balance }) => [receipt, balance]))).toEqual(balances);
    }
  });

  const boundaries: Boundary[] = ["before load", "after load", "after decide", "before commit", "after commit"];
  test.each(boundaries)("of which one is killed %s keep whole batches, and lose no result", async (killAt) => {
    await using db = await openAccounts(openDatabase);
    const options = { url: db.url, receipts, accounts: names.length };

    const killed = await runWorker({ ...options, killAt });
    const afterKill = Object.fromEntries(
      (await db.kysely.selectFrom("receipts").selectAll().execute()).map(({ id, balance }) => [id, Number(balance)]),
    );
    const restarted = await runWorker(options);

    expect(killed.end).toBe("SIGKILL");
    // Two whole batches, and the third one only where its COMMIT was sent.
    expect(Object.keys(afterKill)).toHaveLength(killAt === "after commit" ? 48 : 32);
    expect(killed.results.length).toBeLessThanOrEqual(32);
    expect(restarted.end).toBe(0);
    const balances = await expectEachOnce(db);
    expect(balances).toMatchObject(afterKill);
    for (const { receipt, balance } of [...killed.results, ...restarted.results]) {
      expect(balance).toBe(balances[receipt]);
    }
  });
});
