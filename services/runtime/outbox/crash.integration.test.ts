import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Int32ValueSchema } from "@bufbuild/protobuf/wkt";
import { afterEach, expect, test } from "@jest/globals";
import { createInProcessBus } from "../bus/in-process.ts";
import { migrate } from "../db/migrate.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";
import { createOutbox } from "./outbox.ts";
import { createOutboxRelay } from "./relay.ts";
import { AGGREGATES, type ChainTables, COUNT_TO, chainMigrations } from "./testing/chain.ts";

const children = new Set<ChildProcess>();

afterEach(() => {
  for (const child of children) {
    child.kill("SIGKILL");
  }
  children.clear();
});

/** Starts a process, and resolves when it runs. `counted` resolves when it has counted to the end. */
async function startWorker(url: string): Promise<{ child: ChildProcess; counted: Promise<void> }> {
  const child = fork(new URL("./testing/chain-worker.ts", import.meta.url), [url], { execArgv: ["--no-warnings"] });
  children.add(child);
  const counted = new Promise<void>((resolve) => {
    child.on("message", (message) => message === "counted" && resolve());
  });
  await once(child, "message");
  return { child, counted };
}

describeEachDatabase("events of processes that die", (open) => {
  test("killed with -9 again and again, and failing, each committed event has its effect once and in order", async () => {
    await using db = await open<ChainTables>();
    await migrate(db, chainMigrations);
    const counters = Array.from({ length: AGGREGATES }, (_, nth) => ({ aggregate: `things/${nth}`, value: 0 }));
    await db.kysely.insertInto("counters").values(counters).execute();
    for (let kills = 0; kills < 5; kills++) {
      const { child } = await startWorker(db.url);
      await sleep(20 + Math.random() * 150);
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    await (await startWorker(db.url)).counted;
    const unsent = db.kysely.selectFrom("outbox_messages").select("id").where("sent_at", "is", null);
    await until(async () => (await unsent.execute()).length === 0, 30_000);
    await until(async () => (await db.kysely.selectFrom("inbox_parked").selectAll().execute()).length === 0, 30_000);

    const effects = await db.kysely.selectFrom("effects").selectAll().orderBy("id").execute();
    const published = await db.kysely.selectFrom("outbox_messages").selectAll().execute();
    expect(effects.length).toBe(published.length);
    for (const { aggregate } of counters) {
      const of = effects.filter((effect) => effect.aggregate === aggregate);
      expect(of.map(({ sequence }) => Number(sequence))).toEqual(Array.from(of, (_, at) => at + 1));
      expect(of.map(({ value }) => value)).toEqual(Array.from(of, (_, at) => Math.min(at + 1, COUNT_TO)));
      expect(of.length).toBeGreaterThanOrEqual(COUNT_TO);
    }
  }, 60_000);

  test("an event whose process died between its commit and its hand-over is found in the table and sent in order", async () => {
    await using db = await open<ChainTables>();
    await migrate(db, chainMigrations);
    const child = fork(new URL("./testing/killed-publisher.ts", import.meta.url), [db.url], {
      execArgv: ["--no-warnings"],
    });
    children.add(child);
    const sent: number[] = [];
    child.on("message", (sequences) => sent.push(...(sequences as number[])));
    const [, signal] = (await once(child, "exit")) as [unknown, string];
    expect([signal, sent]).toEqual(["SIGKILL", [1, 2]]);

    const log = createLogger({ level: "silent", name: "test" });
    const outbox = createOutbox({ source: "docket/test", ids: createIds(systemClock), clock: systemClock });
    const bus = createInProcessBus({ log });
    const found: number[] = [];
    bus.subscribe("test", [Int32ValueSchema.typeName], async (events) => {
      found.push(...events.map(({ sequence }) => sequence));
    });
    await using relay = createOutboxRelay({ db, bus, outbox, log, leaseMs: 300, pollMs: 20 });
    relay.start();
    await until(() => found.at(-1) === 3);
    // The second was marked, unless the process died before that.
    expect([[3], [2, 3], [1, 2, 3]]).toContainEqual(found);
  }, 60_000);
});
