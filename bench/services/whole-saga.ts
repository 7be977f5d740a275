import { drive } from "../support/load.ts";
import {
  chosen,
  describeMachine,
  keepResult,
  option,
  percentile,
  printRatios,
  printRounds,
} from "../support/measure.ts";
import { storages, type Usage } from "./docket.ts";
import { openWholeOrders } from "./whole-orders.ts";

/**
 * Whole orders per second: created over REST, stock reserved, paid at the sandbox, stock committed, shipped by the
 * sandbox carrier, delivered, COMPLETED. Completion is observed through a watch of changes; then the worker places its
 * next order. A round ends after `--orders` or `--seconds`; `--rounds`, `--concurrency`; `--storages sqlite` selects
 * one only. With `BENCH_STATEMENTS=1` it also reports the statements per order; with `BENCH_CPU_PROF=folder` each
 * server writes a profile there.
 */
const rounds = option("rounds", 5);
const orders = option("orders", 600);
const roundSeconds = option("seconds", 6);
const concurrency = option("concurrency", 64);

const machine = await describeMachine(["kysely", "mysql2", "@grpc/grpc-js"]);
const names = chosen("storages", storages);
const contenders = await Promise.all(names.map(async (name) => [name, await openWholeOrders(name)] as const));
const empty = (): Record<string, number[]> => Object.fromEntries(names.map((name) => [name, []]));
const measured = {
  ordersPerSecond: empty(),
  orders: empty(),
  p50Ms: empty(),
  p99Ms: empty(),
  cpuMsPerOrder: empty(),
  databaseCpuMsPerOrder: empty(),
  statementsPerOrder: empty(),
  commitsPerOrder: empty(),
};
const total = (name: string) => (measured.orders[name] ?? []).reduce((sum, placed) => sum + placed, 0);
let nth = 0;
for (const [, { placeWhole, docket }] of contenders) {
  await drive({ concurrency, count: orders, seconds: roundSeconds }, () => placeWhole(nth++));
  await docket.kinds();
}
for (let round = 0; round < rounds; round++) {
  for (const [name, { docket, placeWhole }] of contenders) {
    const before = await docket.usage();
    const load = { concurrency, count: orders, seconds: roundSeconds };
    const { seconds, latenciesMs } = await drive(load, () => placeWhole(nth++));
    const placed = latenciesMs.length;
    await docket.untilQuiet();
    const after = await docket.usage();
    const each = (field: keyof Usage) => (after[field] - before[field]) / placed;
    measured.ordersPerSecond[name]?.push(placed / seconds);
    measured.orders[name]?.push(placed);
    measured.p50Ms[name]?.push(percentile(latenciesMs, 50));
    measured.p99Ms[name]?.push(percentile(latenciesMs, 99));
    measured.cpuMsPerOrder[name]?.push(each("cpuMicros") / 1000);
    measured.databaseCpuMsPerOrder[name]?.push(each("databaseCpuMicros") / 1000);
    measured.statementsPerOrder[name]?.push(each("statements"));
    measured.commitsPerOrder[name]?.push(each("commits"));
  }
}
console.log(`${orders} whole orders or ${roundSeconds} s a round, ${concurrency} at a time`);
for (const [name, { docket }] of contenders) {
  console.log(`${name}: ${docket.database}`);
  for (const [kind, [count, ms]] of Object.entries(await docket.kinds()).sort(([, a], [, b]) => b[0] - a[0])) {
    console.log(`${(count / total(name)).toFixed(2)}× ${(ms / total(name)).toFixed(2)} ms ${kind}`);
  }
}
printRounds(measured.ordersPerSecond, "orders/s");
printRounds(measured.p50Ms, "ms from create to completed, p50");
printRounds(measured.p99Ms, "ms from create to completed, p99");
printRounds(measured.cpuMsPerOrder, "ms of the server's CPU per order");
printRounds(measured.databaseCpuMsPerOrder, "ms of the database server's CPU per order");
printRounds(measured.statementsPerOrder, "statements per order");
printRounds(measured.commitsPerOrder, "commits per order");
printRatios(measured.ordersPerSecond, names.length > 1 ? [["sqlite", "mariadb"]] : []);
const databases = Object.fromEntries(contenders.map(([name, { docket }]) => [name, docket.database]));
await keepResult("whole-saga", { machine, databases, concurrency, ...measured });
for (const [, { close }] of contenders) {
  await close();
}
