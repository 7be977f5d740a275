import { drive } from "../support/load.ts";
import { describeMachine, keepResult, option, printRatios, printRounds } from "../support/measure.ts";
import { openWholeOrders } from "./whole-orders.ts";

/**
 * Cost of SQLite's `secure_delete`, which overwrites deleted content with zeros: whole orders, as in `whole-saga`, on a
 * server with it and on one without. A round ends after `--orders` or `--seconds`; `--rounds`, `--concurrency`.
 */
const rounds = option("rounds", 7);
const orders = option("orders", 300);
const roundSeconds = option("seconds", 6);
const concurrency = option("concurrency", 16);

const machine = await describeMachine(["kysely"]);
const contenders = [
  ["on", await openWholeOrders("sqlite")],
  [
    "off",
    await openWholeOrders("sqlite", {
      NODE_OPTIONS: `--import=${new URL("plain-delete.ts", import.meta.url)} --disable-warning=ExperimentalWarning`,
    }),
  ],
] as const;
const empty = (): Record<string, number[]> => Object.fromEntries(contenders.map(([name]) => [name, []]));
const measured = { ordersPerSecond: empty(), cpuMsPerOrder: empty() };
let nth = 0;
for (const [, { placeWhole }] of contenders) {
  await drive({ concurrency, count: orders, seconds: roundSeconds }, () => placeWhole(nth++));
}
for (let round = 0; round < rounds; round++) {
  for (const [name, { docket, placeWhole }] of round % 2 === 0 ? contenders : contenders.toReversed()) {
    const before = await docket.usage();
    const load = { concurrency, count: orders, seconds: roundSeconds };
    const { seconds, latenciesMs } = await drive(load, () => placeWhole(nth++));
    await docket.untilQuiet();
    const after = await docket.usage();
    measured.ordersPerSecond[name]?.push(latenciesMs.length / seconds);
    measured.cpuMsPerOrder[name]?.push((after.cpuMicros - before.cpuMicros) / 1000 / latenciesMs.length);
  }
}
console.log(`secure_delete; ${orders} whole orders or ${roundSeconds} s a round, ${concurrency} at a time`);
printRounds(measured.ordersPerSecond, "orders/s");
printRatios(measured.ordersPerSecond, [["on", "off"]]);
printRounds(measured.cpuMsPerOrder, "ms of the server's CPU per order");
printRatios(measured.cpuMsPerOrder, [["on", "off"]]);
await keepResult("secure-delete", { machine, concurrency, ...measured });
for (const [, { close }] of contenders) {
  await close();
}
