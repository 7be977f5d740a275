import { create, fromBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { createOutbox, outboxEvent } from "../../outbox/outbox.ts";
import { describeEachDatabase } from "../../testing/databases.ts";
import { until } from "../../testing/until.ts";
import { systemClock } from "../../values/clock.ts";
import { createIds } from "../../values/ids.ts";
import { done, later, refused } from "../definition.ts";
import { refuse, runSaga, saga, step } from "../testing/harness.ts";
import { note, notes, noting, openLedger, runnerOn } from "../testing/ledger.ts";

const ids = createIds(systemClock);

describeEachDatabase("the saga runner", (open) => {
  const run = runSaga(open);

  test("does the steps in order, carries the state along, and writes each step with its own rows", async () => {
    await using it = await run(saga([step("one"), step("two"), step("three")]));
    const id = await it.start("saga-1");
    const found = await it.reaches(id, "SUCCEEDED");
    expect(found.state).toEqual({ trail: ["one", "two", "three"], amount: 12_345_678_901_234_567_890n });
    expect(await notes(it.db)).toEqual(["saga-1/one", "saga-1/two", "saga-1/three", "saga-1 succeeded"]);
    expect(found.steps.map(({ name, status, attempts }) => [name, status, attempts])).toEqual([
      ["one", "DONE", 1],
      ["two", "DONE", 1],
      ["three", "DONE", 1],
    ]);
    expect(found).toMatchObject({ tenant: "tenant-a", aggregate: "things/saga-1", definition: "test", version: 1 });
    expect(found.dueAt).toBeUndefined();
  });

  test("a saga whose transaction rolls back never runs", async () => {
    await using it = await run(saga([step("one")]));
    const definition = saga([step("one")]);
    await expect(
      it.db.transaction(async (trx) => {
        const state = { trail: [], amount: 0n };
        await it.sagas.start(trx, { definition, id: "gone", tenant: "t", aggregate: "things/gone", state });
        throw new Error("roll back");
      }),
    ).rejects.toThrow("roll back");
    await it.start("stays");
    await it.reaches("stays", "SUCCEEDED");
    expect(await notes(it.db)).toEqual(["stays/one", "stays succeeded"]);
  });

  test("a refusal undoes what was done, in reverse, and not the step that was refused", async () => {
    await using it = await run(saga([step("one"), step("two"), step("three", refuse("OUT_OF_STOCK"))]));
    const id = await it.start("s");
    const found = await it.reaches(id, "COMPENSATED");
    expect(await notes(it.db)).toEqual([
      "s/one",
      "s/two",
      "s compensating: OUT_OF_STOCK",
      "s/two/undo",
      "s/one/undo",
      "s compensated: OUT_OF_STOCK",
    ]);
    expect(found.failure).toEqual({ reason: "OUT_OF_STOCK", message: "no", step: "three" });
    expect(found.steps.map(({ status }) => status)).toEqual(["COMPENSATED", "COMPENSATED", "FAILED"]);
  });

  test("a step that throws is repeated with the same key; out of attempts, it is undone with the others", async () => {
    const keys: string[] = [];
    const failing = step("two", {
      invoke: async ({ idempotencyKey, attempt }) => {
        keys.push(`${idempotencyKey} ${attempt}`);
        throw new Error("unavailable");
      },
    });
    await using it = await run(saga([step("one"), failing]));
    const found = await it.reaches(await it.start("s"), "COMPENSATED");
    expect(keys).toEqual(["s/two 1", "s/two 2", "s/two 3"]);
    expect((await notes(it.db)).slice(1)).toEqual([
      "s compensating: ATTEMPTS_EXHAUSTED",
      "s/two/undo",
      "s/one/undo",
      "s compensated: ATTEMPTS_EXHAUSTED",
    ]);
    expect(found.steps[1]?.errors.map(({ message }) => message)).toEqual(Array(3).fill("Error: unavailable"));
  });

  test("a step that is refused after an attempt of unknown outcome is undone too", async () => {
    const second = step("two", {
      timeoutMs: 20,
      invoke: async ({ attempt, signal }) => {
        if (attempt === 1) {
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        }
        return refused("DECLINED");
      },
    });
    await using it = await run(saga([step("one"), second]));
    await it.reaches(await it.start("s"), "COMPENSATED");
    expect((await notes(it.db)).slice(1)).toEqual([
      "s compensating: DECLINED",
      "s/two/undo",
      "s/one/undo",
      "s compensated: DECLINED",
    ]);
  });

  test("a step that ignores its signal is over when its time is over", async () => {
    let calls = 0;
    const deaf = step("deaf", {
      timeoutMs: 20,
      invoke: () => {
        calls += 1;
        return calls === 1 ? new Promise(() => {}) : Promise.resolve(done());
      },
    });
    await using it = await run(saga([deaf]));
    const found = await it.reaches(await it.start("s"), "SUCCEEDED");
    expect(found.steps[0]?.errors[0]?.message).toBe("no response within 20 ms");
  });

  test("a step's command that throws leaves nothing behind and counts as a failed attempt", async () => {
    let failures = 2;
    const stumbling = step("one", {
      invoke: async ({ idempotencyKey }) =>
        done({
          command: {
            keys() {},
            decide(batch) {
              note(batch, idempotencyKey);
              if (failures-- > 0) {
                throw new Error("stale version");
              }
            },
          },
        }),
    });
    await using it = await run(saga([stumbling]));
    const found = await it.reaches(await it.start("s"), "SUCCEEDED");
    expect(await notes(it.db)).toEqual(["s/one", "s succeeded"]);
    expect(found.steps[0]?.attempts).toBe(3);
  });

  test("later asks again without counting attempts, forward and backward", async () => {
    const asked = { forward: 0, backward: 0 };
    const polling = step("poll", {
      invoke: async () => (++asked.forward < 6 ? later(1) : done()),
      compensate: async () => (++asked.backward < 6 ? later(1) : done()),
    });
    await using it = await run(saga([polling, step("no", refuse("NO"))]));
    const found = await it.reaches(await it.start("s"), "COMPENSATED");
    expect(asked).toEqual({ forward: 6, backward: 6 });
    expect(found.steps[0]?.attempts).toBe(1);
  });

  test("a compensation that fails for good needs attention; a retry lets it end", async () => {
    let broken = true;
    const first = step("one", {
      compensate: async ({ idempotencyKey }) => {
        if (broken) {
          throw new Error("cannot undo");
        }
        return done({ command: noting(idempotencyKey) });
      },
    });
    await using it = await run(saga([first, step("two", refuse("NO"))]));
    const id = await it.start("s");
    const stuck = await it.reaches(id, "NEEDS_ATTENTION");
    expect(stuck.failure?.reason).toBe("NO");
    expect(stuck.attention).toEqual({ reason: "COMPENSATION_FAILED", message: "Error: cannot undo", step: "one" });
    expect(stuck.steps[0]).toMatchObject({ status: "FAILED", attempts: 3 });
    broken = false;
    expect(await it.db.transaction((trx) => it.sagas.retry(trx, id))).toEqual({ ok: true });
    const ended = await it.reaches(id, "COMPENSATED");
    expect(ended.attention).toBeUndefined();
    expect((await notes(it.db)).slice(1)).toEqual([
      "s compensating: NO",
      "s needs attention: COMPENSATION_FAILED",
      "s retried",
      "s/one/undo",
      "s compensated: NO",
    ]);
  });

  test("a step may ask for attention instead of being undone, and go on from an earlier step with its old keys", async () => {
    let broken = true;
    const shaky = step("two", {
      whenExhausted: "needs-attention",
      invoke: async ({ idempotencyKey }) => {
        if (broken) {
          throw new Error("broken");
        }
        return done({ command: noting(idempotencyKey) });
      },
    });
    await using it = await run(saga([step("one"), shaky]));
    const id = await it.start("s");
    expect((await it.reaches(id, "NEEDS_ATTENTION")).attention?.reason).toBe("ATTEMPTS_EXHAUSTED");
    broken = false;
    expect(await it.db.transaction((trx) => it.sagas.retry(trx, id, { fromStep: "nonsense" }))).toMatchObject({
      ok: false,
    });
    expect(await it.db.transaction((trx) => it.sagas.retry(trx, id, { fromStep: "one" }))).toEqual({ ok: true });
    await it.reaches(id, "SUCCEEDED");
    expect(await notes(it.db)).toEqual([
      "s/one",
      "s needs attention: ATTEMPTS_EXHAUSTED",
      "s retried",
      "s/one",
      "s/two",
      "s succeeded",
    ]);
  });

  test("a succeeded saga can be compensated, once, and restarted with new keys", async () => {
    await using it = await run(saga([step("one"), step("two")]));
    const id = await it.start("s");
    await it.reaches(id, "SUCCEEDED");
    const compensate = () => it.db.transaction((trx) => it.sagas.compensate(trx, id, "CANCELLED", "by the customer"));
    expect(await Promise.all([compensate(), compensate()])).toEqual([{ ok: true }, { ok: true }]);
    const undone = await it.reaches(id, "COMPENSATED");
    expect(undone.failure).toEqual({ reason: "CANCELLED", message: "by the customer", step: "two" });
    expect(await compensate()).toEqual({ ok: true });
    expect(await it.db.transaction((trx) => it.sagas.retry(trx, id))).toEqual({ ok: true });
    await it.reaches(id, "SUCCEEDED");
    expect(await notes(it.db)).toEqual([
      ...["s/one", "s/two", "s succeeded"],
      ...["s compensating: CANCELLED", "s/two/undo", "s/one/undo", "s compensated: CANCELLED"],
      ...["s retried", "s/one/1", "s/two/1", "s succeeded"],
    ]);
  });

  test("a step that runs while its saga is cancelled ends first and is then undone", async () => {
    const entered = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    const slow = step("slow", {
      invoke: async ({ idempotencyKey }) => {
        entered.resolve();
        await leave.promise;
        return done({ command: noting(idempotencyKey) });
      },
    });
    await using it = await run(saga([step("one"), slow, step("never")]));
    const id = await it.start("s");
    await entered.promise;
    expect(await it.db.transaction((trx) => it.sagas.compensate(trx, id, "CANCELLED"))).toEqual({ ok: true });
    leave.resolve();
    await it.reaches(id, "COMPENSATED");
    expect(await notes(it.db)).toEqual([
      ...["s/one", "s/slow", "s compensating: CANCELLED"],
      ...["s/slow/undo", "s/one/undo", "s compensated: CANCELLED"],
    ]);
  });

  test("pausing stops a saga after the step that runs, and resuming lets it go on", async () => {
    const entered = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    const slow = step("slow", {
      invoke: async () => {
        entered.resolve();
        await leave.promise;
        return done();
      },
    });
    await using it = await run(saga([slow, step("two")]));
    const id = await it.start("s");
    await entered.promise;
    await it.db.transaction((trx) => it.sagas.pause(trx, id));
    leave.resolve();
    const paused = await it.reaches(id, "PAUSED");
    expect(paused.step).toBe("two");
    expect(paused.dueAt).toBeUndefined();
    it.runner.nudge();
    expect(await it.db.transaction((trx) => it.sagas.pause(trx, id))).toEqual({ ok: true });
    expect(await it.db.transaction((trx) => it.sagas.resume(trx, id))).toEqual({ ok: true });
    await it.reaches(id, "SUCCEEDED");
    expect(await it.db.transaction((trx) => it.sagas.resume(trx, id))).toEqual({
      ...{ ok: false, reason: "WRONG_STATUS", status: "SUCCEEDED" },
    });
    expect(await it.db.transaction((trx) => it.sagas.pause(trx, "unknown"))).toEqual({
      ok: false,
      reason: "NOT_FOUND",
    });
  });

  test("a saga past its deadline is undone, whatever it does", async () => {
    const slow = step("slow", { invoke: async () => later(60_000) });
    await using it = await run(saga([step("one"), slow], { deadlineMs: 500 }));
    const found = await it.reaches(await it.start("s"), "COMPENSATED");
    expect(found.failure?.reason).toBe("DEADLINE_EXCEEDED");
    expect((await notes(it.db)).slice(1)).toEqual([
      "s compensating: DEADLINE_EXCEEDED",
      ...["s/slow/undo", "s/one/undo", "s compensated: DEADLINE_EXCEEDED"],
    ]);
  });

  test("events of steps are published with their checkpoints, in order", async () => {
    const outbox = createOutbox({ source: "docket/test", ids, clock: systemClock });
    const happened = (value: string, aggregate: string) =>
      outboxEvent(StringValueSchema, create(StringValueSchema, { value }), { tenant: "tenant-a", aggregate });
    const telling = (name: string) =>
      step(name, { invoke: async ({ aggregate }) => done({ events: [happened(name, aggregate)] }) });
    await using it = await run(saga([telling("one"), telling("two")]), { outbox });
    const started = await Promise.all(Array.from({ length: 20 }, (_, nth) => it.start(`s${nth}`)));
    for (const id of started) {
      await it.reaches(id, "SUCCEEDED");
      const rows = await it.db.kysely
        .selectFrom("outbox_messages")
        .selectAll()
        .where("aggregate", "=", `things/${id}`)
        .execute();
      const texts = rows.map(({ sequence, data }) => [Number(sequence), fromBinary(StringValueSchema, data).value]);
      expect(texts.sort()).toEqual([
        [1, "one"],
        [2, "two"],
      ]);
    }
  });

  test("one saga whose writes fail does not keep the others of its batch from being written", async () => {
    const odd = step("one", {
      invoke: async ({ sagaId, idempotencyKey }) =>
        done({
          command: {
            keys() {},
            decide(batch) {
              note(batch, idempotencyKey);
              if (sagaId.endsWith("7")) {
                throw new Error("always");
              }
            },
          },
        }),
    });
    await using it = await run(saga([odd]));
    const started = await Promise.all(Array.from({ length: 30 }, (_, nth) => it.start(`s${nth}`)));
    for (const id of started) {
      await it.reaches(id, id.endsWith("7") ? "COMPENSATED" : "SUCCEEDED");
    }
    const written = (await notes(it.db)).filter((text) => text.endsWith("/one"));
    expect(new Set(written).size).toBe(27);
    expect(written.length).toBe(27);
  });

  test("lists sagas, the newest first, page by page", async () => {
    await using it = await run(saga([step("one")]));
    const started: string[] = [];
    for (let nth = 0; nth < 5; nth++) {
      started.push(await it.start());
    }
    const newest = started.toReversed();
    const first = await it.sagas.list({ tenant: "tenant-a", limit: 2 });
    expect(first.map(({ id }) => id)).toEqual(newest.slice(0, 2));
    const second = await it.sagas.list({ tenant: "tenant-a", limit: 9, beforeId: newest[1] ?? "" });
    expect(second.map(({ id }) => id)).toEqual(newest.slice(2));
    expect(await it.sagas.list({ tenant: "tenant-b", limit: 9 })).toEqual([]);
  });

  test("one transaction may start many more sagas than fit at once, which then take turns", async () => {
    let most = 0;
    let now = 0;
    const counting = step("one", {
      invoke: async () => {
        now += 1;
        most = Math.max(most, now);
        await new Promise((resolve) => setTimeout(resolve, 2));
        now -= 1;
        return done();
      },
    });
    const definition = saga([counting]);
    await using it = await run(definition, { concurrency: 4 });
    await it.db.transaction(async (trx) => {
      for (let nth = 0; nth < 40; nth++) {
        const state = { trail: [], amount: 0n };
        await it.sagas.start(trx, { definition, id: `s${nth}`, tenant: "t", aggregate: "a", state });
      }
    });
    await until(async () => (await notes(it.db)).length === 40);
    expect(most).toBeLessThanOrEqual(4);
  });

  test("more sagas than fit at once all end, and so do those of a runner that starts later", async () => {
    const db = await openLedger(open);
    const definition = saga([step("one"), step("two")]);
    await using runner = runnerOn(db, [definition], { concurrency: 4 });
    await db.transaction(async (trx) => {
      for (let nth = 0; nth < 30; nth++) {
        const state = { trail: [], amount: 0n };
        await runner.sagas.start(trx, { definition, id: `s${nth}`, tenant: "t", aggregate: `things/${nth}`, state });
      }
    });
    runner.start();
    await until(async () => (await notes(db)).length === 90);
    expect(new Set(await notes(db)).size).toBe(90);
  });

  test("runs due sagas on demand, leaves them released after the signal, and starts none in between", async () => {
    const db = await openLedger(open);
    const stop = new AbortController();
    const stopping = step("two", {
      invoke: async () => {
        stop.abort();
        return done();
      },
    });
    const definition = saga([step("one"), stopping, step("three")]);
    await using runner = runnerOn(db, [definition]);
    const state = { trail: [], amount: 0n };
    const start = (id: string) =>
      db.transaction((trx) =>
        runner.sagas.start(trx, { definition, id, tenant: "t", aggregate: `things/${id}`, state }),
      );
    await start("s");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await notes(db)).toEqual([]);
    expect(await runner.runDue(stop.signal)).toBe(true);
    expect((await notes(db)).filter((line) => line.includes("three"))).toEqual([]);
    // Another process claims it at once, because its lease was given back.
    await using other = runnerOn(db, [definition]);
    expect(await other.runDue(new AbortController().signal)).toBe(true);
    expect(await notes(db)).toContain("s succeeded");
    expect(await other.runDue(new AbortController().signal)).toBe(false);
  });
});
