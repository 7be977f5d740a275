import { setTimeout as sleep } from "node:timers/promises";
import { openDatabase } from "../../db/connect.ts";
import { insertIgnore } from "../../db/sql.ts";
import { createOutbox } from "../../outbox/outbox.ts";
import { systemClock } from "../../values/clock.ts";
import { createIds } from "../../values/ids.ts";
import { crashingSaga } from "./crashing-saga.ts";
import { type LedgerTables, runnerOn } from "./ledger.ts";

/**
 * Process that runs sagas until it is killed: `node crash-worker.ts <database url> <lease ms> <concurrency>`. Reports
 * over the `fork` channel when it is running. On any message it stalls in the middle of its next step, after the effect
 * and before its checkpoint, as with SIGSTOP, and reports this just before.
 */
const [url = "", leaseMs = "0", concurrency = "0"] = process.argv.slice(2);
const db = await openDatabase<LedgerTables>({ url });
const outbox = createOutbox({ source: "docket/test", ids: createIds(systemClock), clock: systemClock });

let stopping = false;
process.on("message", () => {
  stopping = true;
});

/** The external system: executes each key once, slowly, and sometimes loses its response. */
const effect = async (key: string) => {
  await sleep(Math.random() * 15);
  await db.transaction((trx) => insertIgnore(trx, "effects", { effect_key: key, times: 1 }));
  await sleep(Math.random() * 15);
  if (stopping) {
    stopping = false;
    await new Promise((sent) => process.send?.("stopping", sent));
    process.kill(process.pid, "SIGSTOP");
  }
  if (Math.random() < 0.1) {
    throw new Error("the answer was lost");
  }
};

const definition = crashingSaga(effect);
const runner = runnerOn(db, [definition], {
  outbox,
  leaseMs: Number(leaseMs),
  pollMs: 50,
  concurrency: Number(concurrency),
});
runner.start();
process.send?.("running");
setInterval(() => {}, 60_000);
