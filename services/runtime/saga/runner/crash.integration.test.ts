import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { createCommands } from "../../commands/commands.ts";
import { openDatabase } from "../../db/connect.ts";
import { describeEachDatabase, type TestDatabase } from "../../testing/databases.ts";
import { until } from "../../testing/until.ts";
import { done, type SagaDefinition } from "../definition.ts";
import { sagaLagCheck } from "../lag-check.ts";
import type { Checkpoint } from "../store/saga-store.ts";
import { createSqlSagaStore } from "../store/sql-store.ts";
import { crashingSaga, expectedNotes } from "../testing/crashing-saga.ts";
import { type LedgerTables, note, notes, openLedger, runnerOn, testLog, testOutbox } from "../testing/ledger.ts";
import { createCommitter } from "./committer.ts";

const children = new Set<ChildProcess>();

afterEach(async () => {
  for (const child of children) {
    child.kill("SIGKILL");
    child.kill("SIGCONT");
  }
  children.clear();
});

/** Starts a process that runs the crashing saga, and resolves when it runs. */
async function startWorker(db: TestDatabase<LedgerTables>, leaseMs: number, concurrency = 16): Promise<ChildProcess> {
  const child = fork(new URL("../testing/crash-worker.ts", import.meta.url), [db.url, `${leaseMs}`, `${concurrency}`], {
    execArgv: ["--no-warnings"],
  });
  children.add(child);
  await once(child, "message");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
  children.delete(child);
}

describeEachDatabase("sagas of processes that die", (open, dialect) => {
  /** Starts sagas without running them here. */
  const startSagas = async (db: TestDatabase<LedgerTables>, count: number): Promise<readonly string[]> => {
    const definition = crashingSaga(async () => {});
    await using runner = runnerOn(db, [definition]);
    const ids = Array.from({ length: count }, (_, nth) => `s${nth}`);
    await db.transaction(async (trx) => {
      for (const id of ids) {
        await runner.sagas.start(trx, { definition, id, tenant: "t", aggregate: id, state: null });
      }
    });
    return ids;
  };

  const unfinished = async (db: TestDatabase<LedgerTables>) => {
    const rows = db.kysely.selectFrom("sagas").select("id").where("status", "not in", ["SUCCEEDED", "COMPENSATED"]);
    return (await rows.execute()).length;
  };

  /** Every saga has ended, and left each of its lines once and in order. */
  const checkBooks = async (db: TestDatabase<LedgerTables>, ids: readonly string[]) => {
    const written = await notes(db);
    for (const id of ids) {
      const lines = written.filter((line) => line.startsWith(`${id}/`) || line.startsWith(`${id} `));
      expect(lines.filter((line) => line !== `${id}/four/undo`)).toEqual(expectedNotes(id));
      expect(new Set(lines).size).toBe(lines.length);
    }
    const effects = await db.kysely.selectFrom("effects").select(["effect_key", "times"]).execute();
    const keys = new Set(effects.map((effect) => effect.effect_key));
    for (const line of written.filter((line) => line.includes("/"))) {
      expect(keys).toContain(line);
    }
  };

  test("killed with -9 again and again, each saga ends as it would have, and nothing is done or written twice", async () => {
    await using db = await openLedger(open);
    const ids = await startSagas(db, 60);
    for (let kills = 0; kills < 6 && (await unfinished(db)) > 0; kills++) {
      const [one, two] = await Promise.all([startWorker(db, 250), startWorker(db, 250)]);
      await sleep(30 + Math.random() * 150);
      await kill(one);
      await sleep(Math.random() * 100);
      await kill(two);
    }
    await startWorker(db, 250);
    await until(async () => (await unfinished(db)) === 0, 60_000);
    await checkBooks(db, ids);
  }, 120_000);

  test("a process that slept past its lease in the middle of a step changes nothing when it wakes", async () => {
    await using db = await openLedger(open);
    const ids = await startSagas(db, 30);
    // One at a time, so that no other saga of it stands in a transaction: SQLite's lock would be everybody's.
    const sleeper = await startWorker(db, 300, 1);
    await until(async () => (await notes(db)).length > 5);
    sleeper.send("stop");
    await once(sleeper, "message");
    await startWorker(db, 300);
    await until(async () => (await unfinished(db)) === 0, 60_000);
    const before = await notes(db);
    sleeper.kill("SIGCONT");
    await sleep(1_000);
    expect(await notes(db)).toEqual(before);
    await checkBooks(db, ids);
    const rows = await db.kysely.selectFrom("notes").select("worker").where("text", "like", "%/%").distinct().execute();
    expect(rows.length).toBe(2);
  }, 120_000);

  if (dialect === "mysql") {
    test("nor does one that slept wherever it was, also in its transactions", async () => {
      await using db = await openLedger(open);
      const ids = await startSagas(db, 100);
      const sleeper = await startWorker(db, 300);
      await until(async () => (await notes(db)).length > 40);
      sleeper.kill("SIGSTOP");
      await startWorker(db, 300);
      await until(async () => (await unfinished(db)) === 0, 60_000);
      const before = await notes(db);
      sleeper.kill("SIGCONT");
      await sleep(1_000);
      expect(await notes(db)).toEqual(before);
      await checkBooks(db, ids);
    }, 120_000);
  }

  test("a dead process's sagas are claimed by another runner when their lease ends, not before", async () => {
    await using db = await openLedger(open);
    const leaseMs = 1_000;
    const stuck: SagaDefinition<null> = { ...crashingSaga(() => new Promise(() => {})) };
    const doomed = createSqlSagaStore({
      db,
      owner: "doomed",
      leaseMs,
      definitions: [stuck],
      log: testLog,
    });
    await startSagas(db, 3);
    expect(await doomed.claim(3)).toHaveLength(3);
    const claimedAt = performance.now();
    await using runner = runnerOn(db, [crashingSaga(async () => {})], { leaseMs, pollMs: 100 });
    runner.start();
    await until(async () => (await unfinished(db)) === 0);
    const elapsedMs = performance.now() - claimedAt;
    expect(elapsedMs).toBeGreaterThan(leaseMs - 100);
  });

  test("two runners on one database divide the work, and no step runs twice where nothing fails", async () => {
    await using db = await openLedger(open);
    await using other = await openDatabase<LedgerTables>({ url: db.url });
    const calls: string[] = [];
    const definition = (name: string) =>
      crashingSaga(async (key) => {
        calls.push(`${name} ${key}`);
        await sleep(Math.random() * 5);
      });
    const ids = await startSagas(db, 100);
    await using one = runnerOn(db, [definition("one")], { concurrency: 8, leaseMs: 30_000 });
    await using two = runnerOn(other, [definition("two")], { concurrency: 8, leaseMs: 30_000 });
    one.start();
    two.start();
    await until(async () => (await unfinished(db)) === 0, 30_000);
    const keys = calls.map((call) => call.slice(4));
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(calls.map((call) => call.slice(0, 3)))).toEqual(new Set(["one", "two"]));
    expect(await notes(db)).toHaveLength(ids.flatMap(expectedNotes).length);
  }, 60_000);

  test("a step that takes longer than the lease stays with its runner", async () => {
    await using db = await openLedger(open);
    let calls = 0;
    const slow = crashingSaga(async () => {
      calls += 1;
      await sleep(2_000);
    });
    await startSagas(db, 1);
    await using one = runnerOn(db, [slow], { leaseMs: 800 });
    await using two = runnerOn(db, [slow], { leaseMs: 800 });
    one.start();
    two.start();
    await until(async () => calls === 2);
    expect(await notes(db)).toEqual(["s0/one"]);
    expect(await db.kysely.selectFrom("sagas").select(["takeovers", "epoch"]).executeTakeFirst()).toEqual({
      takeovers: 0,
      epoch: 1,
    });
  });

  test("a saga that cannot be read holds up no other", async () => {
    await using db = await openLedger(open);
    await startSagas(db, 3);
    await db.kysely.updateTable("sagas").set({ data: "{ not JSON" }).where("id", "=", "s1").execute();
    await using runner = runnerOn(db, [crashingSaga(async () => {})]);
    runner.start();
    await until(async () => (await unfinished(db)) === 1);
    expect(await notes(db)).toHaveLength(expectedNotes("s0").length + expectedNotes("s2").length);
  });

  test("the lag check warns of sagas without a runner", async () => {
    await using db = await openLedger(open);
    const check = sagaLagCheck(db, "test", 1_000);
    expect(await check.run(new AbortController().signal)).toEqual({ status: "pass" });
    await startSagas(db, 2);
    expect(await check.run(new AbortController().signal)).toEqual({ status: "pass" });
    await db.kysely
      .updateTable("sagas")
      .set({ due_at: Date.now() - 5_000 })
      .where("id", "=", "s1")
      .execute();
    expect(await check.run(new AbortController().signal)).toMatchObject({ status: "warn" });
  });

  test("draining ends the step that runs, and another process goes on at once where it stopped", async () => {
    await using db = await openLedger(open);
    const entered = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    const slow = crashingSaga(async () => {
      entered.resolve();
      await leave.promise;
    });
    await startSagas(db, 1);
    await using leaving = runnerOn(db, [slow], { leaseMs: 60_000 });
    leaving.start();
    await entered.promise;
    const drained = leaving.drain();
    leave.resolve();
    await drained;
    expect(await notes(db)).toEqual(["s0/one"]);
    await using next = runnerOn(db, [crashingSaga(async () => {})], { leaseMs: 60_000 });
    next.start();
    await until(async () => (await unfinished(db)) === 0);
    expect(await notes(db)).toEqual(expectedNotes("s0"));
  });

  test("draining gives up on a step that does not end, which is then done again", async () => {
    await using db = await openLedger(open);
    const entered = Promise.withResolvers<void>();
    const stuck = crashingSaga(() => {
      entered.resolve();
      return new Promise(() => {});
    });
    await startSagas(db, 1);
    await using leaving = runnerOn(db, [stuck], { leaseMs: 60_000, drainMs: 50 });
    leaving.start();
    await entered.promise;
    await leaving.drain();
    await using next = runnerOn(db, [crashingSaga(async () => {})], { leaseMs: 60_000 });
    next.start();
    await until(async () => (await unfinished(db)) === 0);
    expect(await notes(db)).toEqual(expectedNotes("s0"));
  });

  test("a runner that was overtaken can write nothing, and takes nothing else of its batch down", async () => {
    await using db = await openLedger(open);
    const definition = crashingSaga(async () => {});
    await startSagas(db, 3);
    const store = (owner: string, leaseMs: number) =>
      createSqlSagaStore({
        db,
        owner,
        leaseMs,
        definitions: [definition],
        log: testLog,
      });
    const slow = store("slow", 0);
    const claimed = await slow.claim(3);
    expect(claimed.map(({ epoch, takeovers }) => [epoch, takeovers])).toEqual(Array(3).fill([1, 0]));
    const [taken] = await store("quick", 60_000).claim(1);
    expect([taken?.epoch, taken?.takeovers]).toEqual([2, 1]);
    await using commands = createCommands({ db, outbox: testOutbox, log: testLog });
    const commit = createCommitter({ commands, owner: "slow", leaseMs: 0 });
    const checkpoint = (saga: (typeof claimed)[number], fails = false): Checkpoint => ({
      saga,
      change: () => ({ record: { ...saga.record, dueAt: null }, hooks: [] }),
      commands: [
        {
          keys() {},
          decide(batch) {
            note(batch, `written ${saga.id}`);
            if (fails) {
              throw new Error("no");
            }
          },
        },
      ],
      ...{ events: [], keys() {}, hook() {}, keeps: () => false },
    });
    const rest = claimed.filter(({ id }) => id !== taken?.id);
    const failed = await Promise.all(rest.map((saga) => commit(checkpoint(saga, true))));
    expect(failed.map(({ kind }) => kind)).toEqual(["failed", "failed"]);
    expect(await notes(db)).toEqual([]);
    const outcomes = await Promise.all(claimed.map((saga) => commit(checkpoint(saga))));
    expect(outcomes.map(({ kind }) => kind)).toEqual(
      claimed.map(({ id }) => (id === taken?.id ? "fenced" : "committed")),
    );
    expect((await notes(db)).sort()).toEqual(rest.map(({ id }) => `written ${id}`).sort());
    const row = await db.kysely
      .selectFrom("sagas")
      .selectAll()
      .where("id", "=", taken?.id ?? "")
      .executeTakeFirst();
    expect(row).toMatchObject({ owner: "quick", epoch: 2 });
  });

  test("sagas of versions that a process does not know are left to others", async () => {
    await using db = await openLedger(open);
    const definition = crashingSaga(async () => {});
    const newer = {
      ...definition,
      version: 2,
      steps: definition.steps.map((step) => ({ ...step, invoke: async () => done() })),
    };
    await using both = runnerOn(db, [definition, newer]);
    const saga = { tenant: "t", aggregate: "a", state: null } as const;
    await db.transaction(async (trx) => {
      await both.sagas.start(trx, { ...saga, definition: newer, id: "s1" });
      await both.sagas.start(trx, { ...saga, definition, id: "s2" });
    });
    await using old = runnerOn(db, [definition]);
    old.start();
    await until(async () => (await old.sagas.get("s2"))?.status === "SUCCEEDED");
    await sleep(100);
    expect((await old.sagas.get("s1"))?.steps[0]?.attempts).toBe(0);
    expect(await db.transaction((trx) => old.sagas.compensate(trx, "s1", "CANCELLED"))).toEqual({ ok: true });
    both.start();
    await until(async () => (await both.sagas.get("s1"))?.status === "COMPENSATED");
  });
});
