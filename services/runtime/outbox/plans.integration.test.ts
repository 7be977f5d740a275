import { expect, test } from "@jest/globals";
import type { EventBus } from "../bus/event-bus.ts";
import { migrate } from "../db/migrate.ts";
import { pruneTable } from "../retention/prune.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { createStatementRecorder } from "../testing/statement-plans.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";
import { outboxMigrations } from "./migrations.ts";
import { createOutbox } from "./outbox.ts";
import { createOutboxRelay } from "./relay.ts";
import { outboxRetention } from "./retention.ts";
import { BUCKETS, bucketOf, type OutboxTables } from "./tables.ts";
import { createUnsent } from "./unsent.ts";

const ids = createIds(systemClock);
const log = createLogger({ level: "silent", name: "test" });

describeEachDatabase("the outbox table", (open) => {
  test("no statement of publishing, sending and pruning reads it as a whole", async () => {
    const recorder = createStatementRecorder();
    await using db = await open<OutboxTables>({ onStatement: recorder.onStatement });
    await migrate(db, outboxMigrations);
    const row = (tenant: string, aggregate: string, sequence: number) => ({
      ...{ tenant_id: tenant, aggregate, sequence, id: ids.next(), type: "docket.test.v1.Told", source: "docket/test" },
      ...{ published_at: 1, data: Uint8Array.of(1), bucket: bucketOf(tenant, aggregate), extensions: null },
    });
    // An aggregate with a long past, many with a short one, and a backlog of a relay that is not here.
    const past = Array.from({ length: 1_500 }, (_, nth) => row("t", "things/hot", nth + 1));
    const short = Array.from({ length: 1_000 }, (_, nth) => row("t", `things/${nth}`, 1));
    const sent = [...past, ...short].map((each) => ({ ...each, sent_at: Date.now() }));
    const backlog = Array.from({ length: 500 }, (_, nth) => ({
      ...row("u", `things/${nth % 50}`, 1 + Math.floor(nth / 50)),
      sent_at: null,
    }));
    for (const rows of [sent, backlog]) {
      await db.kysely.insertInto("outbox_messages").values(rows).execute();
    }
    recorder.clear();

    let broken = true;
    const bus: EventBus = {
      async publish(events) {
        if (broken && events.some(({ tenant }) => tenant === "u")) {
          throw new Error("not now");
        }
      },
      subscribe: () => ({ [Symbol.asyncDispose]: async () => {} }),
      [Symbol.asyncDispose]: async () => {},
    };
    const outbox = createOutbox({ source: "docket/test", ids, clock: systemClock });
    const retry = { initialMs: 1, maxMs: 20 };
    await using relay = createOutboxRelay({ db, bus, outbox, log, retry, concurrency: 20, pollMs: 10 });
    relay.start();
    const event = { tenant: "t", aggregate: "things/hot", type: "docket.test.v1.Told", data: Uint8Array.of(1) };
    await db.transaction((trx) => outbox.publish(trx, [event, { ...event, aggregate: "things/new" }]));
    setTimeout(() => {
      broken = false;
    }, 100);
    const unsent = createUnsent(db);
    const all = {
      buckets: Array.from({ length: BUCKETS }, (_, bucket) => bucket),
      limit: 1,
      without: [],
      after: undefined,
    };
    await until(async () => (await unsent.find(all)).length === 0);
    await pruneTable(db, outboxRetention(db, 60_000));
    expect(await recorder.wholeTableReads(db, ["outbox_messages", "m", "published"])).toEqual([]);
  });
});
