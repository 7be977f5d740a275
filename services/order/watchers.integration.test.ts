import { expect, test } from "@jest/globals";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { createStatementLog } from "../runtime/testing/statement-log.ts";
import { until } from "../runtime/testing/until.ts";
import { startOrders } from "./testing/running-orders.ts";

const WATCHERS = 200;

describeEachDatabase("many watchers", (open) => {
  test("share the reads of the feed and of the orders that their filters match", async () => {
    const { url } = await open<unknown>();
    const log = createStatementLog();
    await using world = await startOrders(url, {}, { onStatement: log.onStatement });
    const leave = new AbortController();
    let ready = 0;
    const placed = new Set<number>();
    const watchers = Array.from({ length: WATCHERS }, async (_, i) => {
      const filter = i % 2 === 0 ? "" : 'customer.id = "c1"';
      for await (const { event } of world.orders.watchOrders({ filter }, { signal: leave.signal })) {
        ready += event === undefined ? 1 : 0;
        if (event?.state === Order_State.AWAITING_PAYMENT) {
          placed.add(i);
        }
      }
    });
    const ended = Promise.allSettled(watchers);
    await until(() => ready === WATCHERS);
    log.clear();
    const { name } = await world.place();
    await until(() => placed.size === WATCHERS);
    const reads = log.statements.filter(({ sql }) => /order_feed[`"]? as/.test(sql)).length;
    const matches = log.statements.filter(({ sql }) => /from [`"]orders[`"] where .*[`"]id[`"] in/.test(sql)).length;
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThan(WATCHERS / 2);
    expect(matches).toBeLessThan(WATCHERS / 2);
    expect(await world.timeline(name)).not.toEqual([]);
    leave.abort();
    await ended;
  });

  test("a watcher that comes back far behind the others misses nothing and gets nothing twice", async () => {
    const { url } = await open<unknown>();
    await using world = await startOrders(url);
    const leave = new AbortController();
    const first = world.orders.watchOrders({}, { signal: leave.signal })[Symbol.asyncIterator]();
    const { value } = await first.next();
    const resumeToken = value?.resumeToken ?? "";
    const names: string[] = [];
    for (let i = 0; i < 30; i++) {
      names.push((await world.place()).name);
    }
    for (const name of names) {
      await world.reaches(name, "AWAITING_PAYMENT");
    }
    const expected = (await Promise.all(names.map((name) => world.timeline(name)))).flat().map(({ name }) => name);
    const seen: string[] = [];
    for await (const { event } of world.orders.watchOrders({ resumeToken })) {
      seen.push(...(event === undefined ? [] : [event.name]));
      if (seen.length === expected.length) {
        break;
      }
    }
    expect(seen.toSorted()).toEqual(expected.toSorted());
    leave.abort();
    await first.return?.();
  });
});
