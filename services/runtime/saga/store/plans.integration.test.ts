import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { migrate } from "../../db/migrate.ts";
import { describeEachDatabase } from "../../testing/databases.ts";
import { createStatementRecorder } from "../../testing/statement-plans.ts";
import { until } from "../../testing/until.ts";
import { systemClock } from "../../values/clock.ts";
import { createIds } from "../../values/ids.ts";
import { done, later } from "../definition.ts";
import { refuse, saga, step } from "../testing/harness.ts";
import { type LedgerTables, ledgerMigrations, runnerOn } from "../testing/ledger.ts";
import { begin } from "../transitions.ts";
import { encodeRecord } from "./record-codec.ts";

const ids = createIds(systemClock);

describeEachDatabase("the saga tables", (open) => {
  test("no statement of a saga's life reads them as a whole", async () => {
    const recorder = createStatementRecorder();
    await using db = await open<LedgerTables>({ onStatement: recorder.onStatement });
    await migrate(db, ledgerMigrations);
    const data = encodeRecord(begin(saga([step("one")]), null, 1));
    const ended = Array.from({ length: 2_000 }, (_, nth) => ({
      ...{ id: ids.next(), tenant_id: `tenant-${nth % 5}`, aggregate: `things/${nth}`, definition: "test", version: 1 },
      ...{ status: nth % 100 === 0 ? "NEEDS_ATTENTION" : "SUCCEEDED", step: "one", data, due_at: null },
      ...{ owner: null, epoch: 1, revision: 1, takeovers: 0, created_at: nth, updated_at: nth },
    }));
    await db.kysely.insertInto("sagas").values(ended).execute();
    recorder.clear();

    const long = step("long", {
      invoke: async () => {
        await sleep(150);
        return done();
      },
    });
    const slow = step("slow", { invoke: async ({ attempt }) => (attempt < 2 ? later(30) : done()) });
    const waiting = step("wait", { waitFor: { signals: ["go"], deadline: () => ({ afterMs: 60_000 }) } });
    const definition = saga([long, step("two"), waiting, step("no", refuse("NO")), slow]);
    const first = runnerOn(db, [definition], { leaseMs: 300 });
    const started = await db.transaction(async (trx) => {
      const names = [ids.next(), ids.next()];
      for (const id of names) {
        const state = { trail: [], amount: 0n };
        await first.sagas.start(trx, { definition, id, tenant: "tenant-1", aggregate: "things/1", state });
      }
      return names;
    });
    await using runner = first;
    runner.start();
    const { sagas } = runner;
    for (const id of started) {
      await until(async () => (await sagas.get(id))?.status === "WAITING");
      await db.transaction((trx) => sagas.pause(trx, id));
      await db.transaction((trx) => sagas.resume(trx, id));
      await db.transaction((trx) => sagas.signal(trx, id, "go"));
      await until(async () => (await sagas.get(id))?.status === "COMPENSATED");
    }
    const where = sql<boolean>`status = 'NEEDS_ATTENTION'`;
    expect(await sagas.list({ tenant: "tenant-0", limit: 10, where, beforeId: ids.next() })).toHaveLength(10);
    await sagas.list({ tenant: "tenant-1", limit: 10 });
    expect(await recorder.wholeTableReads(db, ["sagas"])).toEqual([]);
  });
});
