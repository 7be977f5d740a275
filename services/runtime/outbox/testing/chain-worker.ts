import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Int32ValueSchema } from "@bufbuild/protobuf/wkt";
import { createInProcessBus } from "../../bus/in-process.ts";
import { openDatabase } from "../../db/connect.ts";
import { createConsumer } from "../../inbox/consumer.ts";
import { on } from "../../inbox/handlers.ts";
import { createLogger } from "../../telemetry/log.ts";
import { systemClock } from "../../values/clock.ts";
import { createIds } from "../../values/ids.ts";
import { createOutbox } from "../outbox.ts";
import { createOutboxRelay } from "../relay.ts";
import { AGGREGATES, type ChainTables, COUNT_TO, FAILURES } from "./chain.ts";

/**
 * A process that counts, publishes each count, relays it and consumes it with a handler that fails now and then, until
 * it is killed: `node chain-worker.ts <database url>`. Reports over the `fork` channel when it is running and when all is counted.
 */
const [url = ""] = process.argv.slice(2);
const db = await openDatabase<ChainTables>({ url });
const ids = createIds(systemClock);
const log = createLogger({ level: "silent", name: "test" });
const outbox = createOutbox({ source: "docket/test", ids, clock: systemClock });
const bus = createInProcessBus({ log });

const consumer = createConsumer({
  ...{ db, bus, log, ids, consumer: "test.effects", maxAttempts: 1_000, pollMs: 100 },
  retry: { initialMs: 5, maxMs: 20 },
  handlers: [
    on(Int32ValueSchema, async (trx: Parameters<Parameters<typeof db.transaction>[0]>[0], { value }, event) => {
      const { aggregate, sequence } = event;
      await trx.insertInto("effects").values({ id: ids.next(), aggregate, sequence, value, at: Date.now() }).execute();
      if (Math.random() < FAILURES) {
        throw new Error("not now");
      }
    }),
  ],
});
consumer.start();
const relay = createOutboxRelay({ db, bus, outbox, log, leaseMs: 300, pollMs: 20 });
relay.start();
process.send?.("running");

const count = (aggregate: string) =>
  db.transaction(async (trx) => {
    await trx
      .updateTable("counters")
      .set((row) => ({ value: row("value", "+", 1) }))
      .where("aggregate", "=", aggregate)
      .where("value", "<", COUNT_TO)
      .execute();
    const { value } = await trx
      .selectFrom("counters")
      .select("value")
      .where("aggregate", "=", aggregate)
      .executeTakeFirstOrThrow();
    const data = toBinary(Int32ValueSchema, create(Int32ValueSchema, { value }));
    await outbox.publish(trx, [{ tenant: "t", aggregate, type: Int32ValueSchema.typeName, data }]);
    return value;
  });

for (;;) {
  const values = await Promise.all(Array.from({ length: AGGREGATES }, (_, nth) => count(`things/${nth}`)));
  if (values.every((value) => value === COUNT_TO)) {
    break;
  }
  await sleep(Math.random() * 10);
}
process.send?.("counted");
setInterval(() => {}, 60_000);
