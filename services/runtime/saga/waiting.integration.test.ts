import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../testing/databases.ts";
import { until } from "../testing/until.ts";
import { createSagaClient } from "./create-saga-client.ts";
import { done, keepWaiting, later, refused, type Wake } from "./definition.ts";
import { runSaga, saga, step, type TestStep } from "./testing/harness.ts";
import { notes, noting, testOutbox } from "./testing/ledger.ts";

describeEachDatabase("a saga that waits", (open) => {
  const run = runSaga(open);

  /** Waits for `paid` and notes what woke it. */
  const awaiting = (overrides: Partial<TestStep> = {}) => {
    const wakes: (Wake | undefined)[] = [];
    const waiting = step("await", {
      waitFor: { signals: ["paid"] },
      invoke: async ({ wake, idempotencyKey }) => {
        wakes.push(wake);
        return wake?.kind === "signal" ? done({ command: noting(idempotencyKey) }) : refused("EXPIRED");
      },
      ...overrides,
    });
    return { wakes, waiting };
  };

  test("rests until its signal comes, and gets what came with it", async () => {
    const { waiting, wakes } = awaiting();
    await using it = await run(saga([step("one"), waiting, step("three")]));
    const id = await it.start("s");
    const parked = await it.reaches(id, "WAITING");
    expect(parked).toMatchObject({ step: "await" });
    expect(parked.dueAt).toBeUndefined();
    expect(wakes).toEqual([]);
    const payload = { amount: 12n, bytes: Uint8Array.of(1, 2), nested: [{ deep: null }] };
    expect(await it.db.transaction((trx) => it.sagas.signal(trx, id, "paid", payload))).toBe(true);
    await it.reaches(id, "SUCCEEDED");
    expect(wakes).toEqual([{ kind: "signal", name: "paid", payload }]);
    expect(await notes(it.db)).toEqual(["s/one", "s/await", "s/three", "s succeeded"]);
  });

  test("a signal wakes it at once, however seldom the runner looks", async () => {
    const { waiting } = awaiting();
    await using it = await run(saga([waiting]), { pollMs: 60_000 });
    const id = await it.start("s");
    await it.reaches(id, "WAITING");
    await it.db.transaction((trx) => it.sagas.signal(trx, id, "paid"));
    await it.reaches(id, "SUCCEEDED");
  });

  test("is woken through a client without a runner, which starts nothing", async () => {
    const { waiting } = awaiting();
    const definition = saga([waiting]);
    await using it = await run(definition);
    const id = await it.start("s");
    await it.reaches(id, "WAITING");
    const client = createSagaClient({ db: it.db, outbox: testOutbox });
    const started = it.db.transaction((trx) =>
      client.start(trx, { definition, id: "t", tenant: "t", aggregate: "things/t", state: { trail: [], amount: 0n } }),
    );
    await expect(started).rejects.toThrow("no runner of this process knows the saga test version 1");
    expect(await it.db.transaction((trx) => client.signal(trx, id, "paid"))).toBe(true);
    await it.reaches(id, "SUCCEEDED");
  });

  test("does not miss a signal that came before it waited", async () => {
    const { waiting } = awaiting();
    const entered = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    const slow = step("slow", {
      invoke: async () => {
        entered.resolve();
        await leave.promise;
        return done();
      },
    });
    await using it = await run(saga([slow, waiting]));
    const id = await it.start("s");
    await entered.promise;
    await it.db.transaction((trx) => it.sagas.signal(trx, id, "paid", "early"));
    leave.resolve();
    await it.reaches(id, "SUCCEEDED");
  });

  test("misses no signal however it falls against the parking", async () => {
    const { waiting } = awaiting();
    await using it = await run(saga([step("one"), waiting, step("three")]));
    const all = Array.from({ length: 40 }, (_, nth) => `s${nth}`);
    await Promise.all(
      all.map(async (id, nth) => {
        await it.start(id);
        await new Promise((resolve) => setTimeout(resolve, nth % 8));
        await it.db.transaction((trx) => it.sagas.signal(trx, id, "paid", nth));
      }),
    );
    for (const id of all) {
      await it.reaches(id, "SUCCEEDED");
    }
    const written = await notes(it.db);
    expect(written.length).toBe(160);
    expect(new Set(written).size).toBe(160);
  });

  test("repeated and concurrent signals have one effect, also after the saga has ended", async () => {
    const { waiting, wakes } = awaiting();
    await using it = await run(saga([waiting, step("two")]));
    const id = await it.start("s");
    const signal = () => it.db.transaction((trx) => it.sagas.signal(trx, id, "paid"));
    await Promise.all([signal(), signal(), signal(), signal()]);
    await it.reaches(id, "SUCCEEDED");
    expect(await signal()).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(wakes.length).toBe(1);
    expect((await it.sagas.get(id))?.status).toBe("SUCCEEDED");
    expect(await it.db.transaction((trx) => it.sagas.signal(trx, "unknown", "paid"))).toBe(false);
  });

  test("a signal whose transaction rolls back was never given; one for another step is kept for it", async () => {
    const { waiting } = awaiting();
    const shipped = step("ship", { waitFor: { signals: ["shipped"] } });
    await using it = await run(saga([waiting, shipped]));
    const id = await it.start("s");
    await it.reaches(id, "WAITING");
    await expect(
      it.db.transaction(async (trx) => {
        await it.sagas.signal(trx, id, "paid");
        throw new Error("roll back");
      }),
    ).rejects.toThrow("roll back");
    await it.db.transaction((trx) => it.sagas.signal(trx, id, "shipped"));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await it.sagas.get(id)).toMatchObject({ status: "WAITING", step: "await" });
    await it.db.transaction((trx) => it.sagas.signal(trx, id, "paid"));
    await it.reaches(id, "SUCCEEDED");
  });

  test("its deadline wakes it when no signal came, and not before", async () => {
    const { waiting, wakes } = awaiting({ waitFor: { signals: ["paid"], deadline: () => ({ afterMs: 300 }) } });
    await using it = await run(saga([step("one"), waiting]));
    const id = await it.start("s");
    const parked = await it.reaches(id, "WAITING");
    const parkedAt = parked.steps[1]?.beganAt ?? 0;
    expect(parked.dueAt).toBe(parkedAt + 300);
    const ended = await it.reaches(id, "COMPENSATED");
    expect(wakes).toEqual([{ kind: "deadline" }]);
    const wokenAfterMs = (ended.steps[1]?.endedAt ?? 0) - parkedAt;
    expect(wokenAfterMs).toBeGreaterThanOrEqual(300);
    expect(ended.failure?.reason).toBe("EXPIRED");
  });

  test("a deadline may be a moment, also one that has passed", async () => {
    const { waiting, wakes } = awaiting({ waitFor: { signals: ["paid"], deadline: () => ({ atMs: 1_000 }) } });
    await using it = await run(saga([waiting]));
    await it.reaches(await it.start("s"), "COMPENSATED");
    expect(wakes).toEqual([{ kind: "deadline" }]);
  });

  test("it may find that a signal is not the one and keep waiting, until the same deadline", async () => {
    const seen: string[] = [];
    const picky = step("await", {
      waitFor: { signals: ["part"], deadline: () => ({ afterMs: 2_000 }) },
      invoke: async ({ wake, state }) => {
        seen.push(wake?.kind === "signal" ? `${wake.payload}` : "deadline");
        const trail = [...state.trail, "part"];
        return wake?.kind === "deadline" ? done() : keepWaiting({ state: { ...state, trail } });
      },
    });
    await using it = await run(saga([picky]));
    const id = await it.start("s");
    const first = await it.reaches(id, "WAITING");
    for (const part of ["a", "b", "b", "c"]) {
      await it.db.transaction((trx) => it.sagas.signal(trx, id, "part", part, `event-${part}`));
    }
    await until(async () => seen.length === 3 && (await it.sagas.get(id))?.dueAt === first.dueAt);
    const ended = await it.reaches(id, "SUCCEEDED");
    expect(seen).toEqual(["a", "b", "c", "deadline"]);
    expect((ended.state as { trail: unknown }).trail).toEqual(["part", "part", "part"]);
  });

  test("an attempt that fails after waking is repeated with what woke it", async () => {
    let failures = 2;
    const wakes: (Wake | undefined)[] = [];
    const { waiting } = awaiting({
      invoke: async ({ wake }) => {
        wakes.push(wake);
        if (failures-- > 0) {
          throw new Error("not now");
        }
        return failures < -1 ? done() : later(1);
      },
    });
    await using it = await run(saga([waiting]));
    const id = await it.start("s");
    await it.db.transaction((trx) => it.sagas.signal(trx, id, "paid", 7));
    await it.reaches(id, "SUCCEEDED");
    expect(wakes).toEqual(Array(4).fill({ kind: "signal", name: "paid", payload: 7 }));
  });

  test("it can be cancelled while it waits, and the step that waits is undone as well", async () => {
    const { waiting } = awaiting();
    await using it = await run(saga([step("one"), waiting]));
    const id = await it.start("s");
    await it.reaches(id, "WAITING");
    await it.db.transaction((trx) => it.sagas.compensate(trx, id, "CANCELLED"));
    await it.reaches(id, "COMPENSATED");
    expect((await notes(it.db)).slice(1)).toEqual([
      ...["s compensating: CANCELLED", "s/await/undo", "s/one/undo", "s compensated: CANCELLED"],
    ]);
    expect(await it.db.transaction((trx) => it.sagas.signal(trx, id, "paid"))).toBe(true);
  });

  test("a signal that comes while it is paused is kept until it goes on", async () => {
    const { waiting } = awaiting();
    await using it = await run(saga([waiting]));
    const id = await it.start("s");
    await it.reaches(id, "WAITING");
    await it.db.transaction((trx) => it.sagas.pause(trx, id));
    await it.db.transaction((trx) => it.sagas.signal(trx, id, "paid"));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect((await it.sagas.get(id))?.status).toBe("PAUSED");
    await it.db.transaction((trx) => it.sagas.resume(trx, id));
    await it.reaches(id, "SUCCEEDED");
  });
});
