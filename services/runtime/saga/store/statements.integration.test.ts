import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { migrate } from "../../db/migrate.ts";
import { createOutbox } from "../../outbox/outbox.ts";
import { describeEachDatabase } from "../../testing/databases.ts";
import { until } from "../../testing/until.ts";
import { systemClock } from "../../values/clock.ts";
import { createIds } from "../../values/ids.ts";
import { done, type SagaDefinition } from "../definition.ts";
import { type LedgerTables, ledgerMigrations, runnerOn } from "../testing/ledger.ts";

const ids = createIds(systemClock);
const STEPS = 4;

/** Four steps, each publishing an event; stored after each, or at the end. */
const telling = (isolated: boolean): SagaDefinition<null> => ({
  name: "telling",
  version: 1,
  steps: Array.from({ length: STEPS }, (_, nth) => ({
    name: `step-${nth}`,
    isolated,
    async invoke({ tenant, aggregate }) {
      await nextTurn();
      return done({ events: [{ tenant, aggregate, type: "docket.test.v1.Told", data: Uint8Array.of(nth) }] });
    },
  })),
});

describeEachDatabase("what sagas cost in statements", (open) => {
  const counting = async (isolated: boolean) => {
    const definition = telling(isolated);
    const counted = new Map<string, number>();
    const db = await open<LedgerTables>({
      onStatement: ({ sql }) => {
        const kind = /^\s*(begin|commit|insert into "?`?\w+|update "?`?\w+|select|delete)/i.exec(sql)?.[1] ?? "other";
        const name = kind.toLowerCase().replaceAll(/["`]/g, "");
        counted.set(name, (counted.get(name) ?? 0) + 1);
      },
    });
    await migrate(db, ledgerMigrations);
    const outbox = createOutbox({ source: "docket/test", ids, clock: systemClock });
    const runner = runnerOn(db, [definition], { outbox, pollMs: 60_000, leaseMs: 60_000, concurrency: 200 });
    runner.start();
    await until(async () => (await db.kysely.selectFrom("sagas").select("id").execute()).length === 0);
    const run = async (count: number) => {
      const all = Array.from({ length: count }, () => ids.next());
      counted.clear();
      await db.transaction(async (trx) => {
        for (const id of all) {
          await runner.sagas.start(trx, { definition, id, tenant: "t", aggregate: id, state: null });
        }
      });
      const last = all.at(-1) ?? "";
      const events = db.kysely.selectFrom("outbox_messages").select("id").where("aggregate", "in", all);
      await until(
        async () =>
          (await events.execute()).length === count * STEPS && (await runner.sagas.get(last))?.status === "SUCCEEDED",
      );
      return counted;
    };
    return { run, [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose]() };
  };

  test("starting a saga claims it, and all its steps are stored with its end in one transaction", async () => {
    await using it = await counting(false);
    const counted = await it.run(1);
    expect(counted.get("insert into sagas")).toBe(1);
    expect(counted.get("update sagas")).toBe(1);
    expect(counted.get("insert into outbox_messages")).toBe(1);
    expect(counted.get("commit")).toBeLessThanOrEqual(2);
  });

  test("an isolated step takes one transaction with one UPDATE and one INSERT", async () => {
    await using it = await counting(true);
    const counted = await it.run(1);
    expect(counted.get("update sagas")).toBe(STEPS);
    expect(counted.get("insert into outbox_messages")).toBe(STEPS);
    expect(counted.get("commit")).toBeLessThanOrEqual(STEPS + 1);
  });

  test("64 at once share their transactions: one for all, or one for each step of all", async () => {
    for (const [isolated, most] of [
      [false, 4],
      [true, 4 * STEPS],
    ] as const) {
      await using it = await counting(isolated);
      const counted = await it.run(64);
      expect(counted.get("update sagas")).toBeLessThanOrEqual(most);
      expect(counted.get("insert into outbox_messages")).toBeLessThanOrEqual(most);
      expect(counted.get("commit")).toBeLessThanOrEqual(most + 1);
    }
  });
});
