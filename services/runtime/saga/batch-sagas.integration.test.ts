import { expect, test } from "@jest/globals";
import type { Batch, Command } from "../commands/command.ts";
import { createCommands } from "../commands/commands.ts";
import { defineMapping } from "../commands/mapping.ts";
import { defineTable } from "../commands/table.ts";
import { describeEachDatabase, type OpenTestDatabase } from "../testing/databases.ts";
import { until } from "../testing/until.ts";
import type { BatchSagas, SagaKey } from "./batch-sagas.ts";
import { done, refused } from "./definition.ts";
import type { Saga } from "./saga.ts";
import { runSaga, step, type TestSaga } from "./testing/harness.ts";
import { type LedgerTables, testLog, testOutbox } from "./testing/ledger.ts";

type EffectRow = LedgerTables["effects"];

/** Counters by name, which the sagas of these tests change. */
const counters = defineMapping({
  root: defineTable<EffectRow>({ name: "effects", key: ["effect_key"], columns: ["effect_key", "times"] }),
  keyOf: ({ effect_key }: EffectRow): [string] => [effect_key],
  fromRows: (row) => row,
  toRow: (row) => row,
});

function count(batch: Batch, name: string): void {
  const counter = batch.get(counters, [name]);
  if (counter === undefined) {
    batch.insert(counters, { effect_key: name, times: 1 });
  } else {
    batch.update(counters, { ...counter, times: counter.times + 1 });
  }
}

const counting = (name: string): Command<void> => ({
  keys: (need) => need.one(counters, [name]),
  decide: (batch) => count(batch, name),
});

const hook =
  (name: string) =>
  (batch: Batch, { aggregate }: Pick<Saga, "aggregate">) =>
    count(batch, `${aggregate} ${name}`);

const hookNames = ["succeeded", "compensating", "compensated", "attention", "retried"] as const;

/** A saga whose steps and hooks change counters in the batch that stores it. */
const countingSaga = (steps: TestSaga["steps"]): TestSaga => ({
  name: "test",
  version: 1,
  steps,
  hooks: {
    keys(need, { aggregate }) {
      for (const name of hookNames) {
        need.one(counters, [`${aggregate} ${name}`]);
      }
    },
    onSucceeded: hook("succeeded"),
    onCompensating: hook("compensating"),
    onCompensated: hook("compensated"),
    onNeedsAttention: hook("attention"),
    onRetried: hook("retried"),
  },
});

const keyOf = (id: string): SagaKey => ({ tenant: "tenant-a", aggregate: `things/${id}`, id });

describeEachDatabase("sagas in batches", (open: OpenTestDatabase) => {
  const run = async (definition: TestSaga, options: Parameters<ReturnType<typeof runSaga>>[1] = {}) => {
    const it = await runSaga(open)(definition, { pollMs: 60_000, ...options });
    const commands = createCommands({ db: it.db, outbox: testOutbox, log: testLog });
    const { inBatch } = it.sagas;
    return {
      ...it,
      commands,
      /** Starts a saga in a command of its own. */
      begin: (id: string) =>
        commands.execute({
          keys: (need) => need.one(counters, [`things/${id} begun`]),
          decide(batch) {
            count(batch, `things/${id} begun`);
            inBatch.start(batch, { ...keyOf(id), definition, state: { trail: [], amount: 0n } });
          },
        }),
      /** Executes a command to a saga. */
      tell: <Result>(id: string, decide: (batch: Batch, sagas: BatchSagas, key: SagaKey) => Result) =>
        commands.execute({
          keys: (need) => inBatch.keys(need, keyOf(id)),
          decide: (batch) => decide(batch, inBatch, keyOf(id)),
        }),
      counts: async () => {
        const rows = await it.db.kysely.selectFrom("effects").selectAll().orderBy("effect_key").execute();
        return Object.fromEntries(rows.map(({ effect_key, times }) => [effect_key, times]));
      },
      async [Symbol.asyncDispose]() {
        await commands[Symbol.asyncDispose]();
        await it[Symbol.asyncDispose]();
      },
    };
  };

  const two = [
    step("one", { invoke: async ({ aggregate }) => done({ command: counting(`${aggregate} one`) }) }),
    step("wait", {
      waitFor: { signals: ["go"] },
      invoke: async ({ wake }) => (wake?.kind === "signal" && wake.payload === "no" ? refused("NO") : done()),
    }),
  ];

  test("a batch starts sagas with its rows, and the runner has them without looking", async () => {
    await using it = await run(countingSaga([two[0] as (typeof two)[0]]));
    await Promise.all([it.begin("a"), it.begin("b")]);
    await it.reaches("a", "SUCCEEDED");
    await it.reaches("b", "SUCCEEDED");
    const each = (id: string) => ({
      [`things/${id} begun`]: 1,
      [`things/${id} one`]: 1,
      [`things/${id} succeeded`]: 1,
    });
    expect(await it.counts()).toEqual({ ...each("a"), ...each("b") });
  });

  test("a command that throws starts no saga, and its batch starts the others", async () => {
    const definition = countingSaga(two);
    await using it = await run(definition);
    const rejected = it.commands.execute({
      keys() {},
      decide(batch) {
        it.sagas.inBatch.start(batch, { ...keyOf("no"), definition, state: { trail: [], amount: 0n } });
        throw new Error("rejected");
      },
    });
    await Promise.all([expect(rejected).rejects.toThrow("rejected"), it.begin("a")]);
    await it.reaches("a", "WAITING");
    expect(await it.sagas.get("no")).toBeUndefined();
  });

  test("a saga whose id is taken is rejected alone", async () => {
    await using it = await run(countingSaga(two));
    await it.begin("a");
    const [first, again, other] = await Promise.allSettled([it.begin("b"), it.begin("a"), it.begin("c")]);
    expect([first.status, again.status, other.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
    await it.reaches("c", "WAITING");
    expect((await it.counts())["things/a begun"]).toBe(1);
  });

  test("signals and starts of one batch find each other, and a known signal has no effect", async () => {
    await using it = await run(countingSaga(two));
    const begun = it.begin("a");
    const signalled = it.tell("a", (batch, sagas, key) => sagas.signal(batch, key, "go", "yes", "e1"));
    expect(await Promise.all([begun, signalled])).toEqual([undefined, true]);
    await it.reaches("a", "SUCCEEDED");
    const before = await it.db.kysely.selectFrom("sagas").selectAll().execute();
    expect(await it.tell("a", (batch, sagas, key) => sagas.signal(batch, key, "go", "no", "e1"))).toBe(true);
    expect(await it.db.kysely.selectFrom("sagas").selectAll().execute()).toEqual(before);
    expect(await it.tell("none", (batch, sagas, key) => sagas.signal(batch, key, "go"))).toBe(false);
  });

  test("a signal wakes a saga at once, and a refusal compensates it with its hooks", async () => {
    await using it = await run(countingSaga(two));
    await it.begin("a");
    await it.reaches("a", "WAITING");
    await it.tell("a", (batch, sagas, key) => sagas.signal(batch, key, "go", "no"));
    expect(await it.reaches("a", "COMPENSATED")).toMatchObject({ failure: { reason: "NO" } });
    expect(await it.counts()).toMatchObject({ "things/a compensating": 1, "things/a compensated": 1 });
  });

  test("pause, resume, compensate and retry take effect with the batch, and their hooks are part of it", async () => {
    await using it = await run(countingSaga(two));
    await it.begin("a");
    await it.reaches("a", "WAITING");
    expect(await it.tell("a", (batch, sagas, key) => sagas.pause(batch, key))).toEqual({ ok: true });
    expect(await it.sagas.get("a")).toMatchObject({ status: "PAUSED" });
    expect(await it.tell("a", (batch, sagas, key) => [sagas.resume(batch, key), sagas.get(batch, key)])).toMatchObject([
      { ok: true },
      { status: "WAITING" },
    ]);
    const compensate = (fails: boolean) =>
      it.tell("a", (batch, sagas, key) => {
        const result = sagas.compensate(batch, key, "CANCELLED", "by the customer");
        if (fails) {
          throw new Error("rejected");
        }
        return result;
      });
    await expect(compensate(true)).rejects.toThrow("rejected");
    expect(await it.sagas.get("a")).toMatchObject({ status: "WAITING" });
    expect(await compensate(false)).toEqual({ ok: true });
    expect(await it.counts()).toMatchObject({ "things/a compensating": 1 });
    await it.reaches("a", "COMPENSATED");
    expect(await it.tell("a", (batch, sagas, key) => sagas.pause(batch, key))).toEqual({
      ...{ ok: false, reason: "WRONG_STATUS", status: "COMPENSATED" },
    });
    expect(await it.tell("a", (batch, sagas, key) => sagas.retry(batch, key))).toEqual({ ok: true });
    await it.reaches("a", "WAITING");
    expect(await it.counts()).toMatchObject({ "things/a one": 2, "things/a compensated": 1, "things/a retried": 1 });
    // A transaction of its own runs the same hooks.
    expect(await it.db.transaction((trx) => it.sagas.compensate(trx, "a", "CANCELLED"))).toEqual({ ok: true });
    await it.reaches("a", "COMPENSATED");
    expect(await it.counts()).toMatchObject({ "things/a compensating": 2, "things/a compensated": 2 });
  });

  test("a step whose command throws is tried again, and leaves nothing behind", async () => {
    let tries = 0;
    const failing = step("one", {
      invoke: async ({ aggregate }) =>
        done({
          command: {
            keys: (need) => need.one(counters, [`${aggregate} one`]),
            decide(batch) {
              count(batch, `${aggregate} one`);
              tries += 1;
              if (tries < 3) {
                throw new Error("stale");
              }
            },
          },
        }),
    });
    await using it = await run(countingSaga([failing]), { pollMs: 5 });
    await it.begin("a");
    const ended = await it.reaches("a", "SUCCEEDED");
    expect(ended.steps[0]).toMatchObject({
      attempts: 3,
      errors: [{ message: "Error: stale" }, { message: "Error: stale" }],
    });
    expect((await it.counts())["things/a one"]).toBe(1);
  });

  test("starts more sagas than the runner has room for, and all of them end", async () => {
    await using it = await run(countingSaga([two[0] as (typeof two)[0]]), { concurrency: 2, pollMs: 20 });
    await Promise.all(Array.from({ length: 30 }, (_, nth) => it.begin(`s${nth}`)));
    await until(async () => {
      const ended = await it.db.kysely.selectFrom("sagas").select("id").where("status", "=", "SUCCEEDED").execute();
      return ended.length === 30;
    });
  });
});
