import { create, toBinary } from "@bufbuild/protobuf";
import { Int32ValueSchema } from "@bufbuild/protobuf/wkt";
import { createInProcessBus } from "../../bus/in-process.ts";
import { openDatabase } from "../../db/connect.ts";
import { createLogger } from "../../telemetry/log.ts";
import { systemClock } from "../../values/clock.ts";
import { createIds } from "../../values/ids.ts";
import { createOutbox } from "../outbox.ts";
import { createOutboxRelay } from "../relay.ts";
import type { OutboxTables } from "../tables.ts";

/**
 * A process that publishes 1, 2 and 3 of one aggregate and kills itself with SIGKILL when 3 is committed and not handed
 * over yet: `node killed-publisher.ts <database url>`. Reports over the `fork` channel what was sent.
 */
const [url = ""] = process.argv.slice(2);
let last = false;
const db = await openDatabase<OutboxTables>({
  url,
  onStatement: ({ sql }) => {
    if (last && sql === "commit") {
      process.kill(process.pid, "SIGKILL");
    }
  },
});
const ids = createIds(systemClock);
const log = createLogger({ level: "silent", name: "test" });
const outbox = createOutbox({ source: "docket/test", ids, clock: systemClock });
const bus = createInProcessBus({ log });
bus.subscribe("test", [Int32ValueSchema.typeName], async (events) => {
  process.send?.(events.map(({ sequence }) => sequence));
});
const relay = createOutboxRelay({ db, bus, outbox, log, leaseMs: 2_000, pollMs: 60_000 });
relay.start();

for (let value = 1; ; value++) {
  const data = toBinary(Int32ValueSchema, create(Int32ValueSchema, { value }));
  await db.transaction(async (trx) => {
    await outbox.publish(trx, [{ tenant: "t", aggregate: "things/a", type: Int32ValueSchema.typeName, data }]);
    last = value === 3;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
}
