import { expect, test } from "@jest/globals";
import { reasonOf } from "../runtime/errors.ts";
import { describeMariadb } from "../runtime/testing/databases.ts";
import { until } from "../runtime/testing/until.ts";
import { startOrders, tenant } from "./testing/running-orders.ts";

describeMariadb("the feed of a tenant", (open) => {
  test("has every change once, in order and without gaps, when two processes place its first orders at once", async () => {
    const { url } = await open<unknown>();
    await using first = await startOrders(url);
    await using second = await startOrders(url);
    const { kysely } = first.db;

    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? first : second).place({ externalId: `A-${i % 40}` })),
    );
    const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [reasonOf(outcome.reason)] : []));
    expect(refusals).toEqual(Array(20).fill("EXTERNAL_ID_TAKEN"));
    await until(async () => {
      const waiting = await kysely.selectFrom("orders").select("id").where("state", "=", "AWAITING_PAYMENT").execute();
      return waiting.length === 40;
    });

    const entries = await kysely
      .selectFrom("order_feed")
      .selectAll()
      .where("tenant_id", "=", tenant)
      .orderBy("position")
      .execute();
    const events = await kysely.selectFrom("order_events").select(["order_id", "sequence"]).execute();
    const nameOf = (entry: { readonly order_id: string; readonly sequence: number }) =>
      `${entry.order_id}/${entry.sequence}`;
    expect(entries.map(({ position }) => position)).toEqual(entries.map((_, i) => i + 1));
    expect(entries.map(nameOf).sort()).toEqual(events.map(nameOf).sort());
    for (const ofOrder of Map.groupBy(entries, (entry) => entry.order_id).values()) {
      expect(ofOrder.map(({ sequence }) => sequence)).toEqual(ofOrder.map((_, i) => i + 1));
    }
  });
});
