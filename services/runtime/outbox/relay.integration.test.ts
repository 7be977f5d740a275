import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import type { BusEvent, EventBus } from "../bus/event-bus.ts";
import { createInProcessBus } from "../bus/in-process.ts";
import { openDatabase } from "../db/connect.ts";
import { migrate } from "../db/migrate.ts";
import { pruneTable } from "../retention/prune.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";
import { createBucketLeases } from "./buckets.ts";
import { outboxLagCheck } from "./lag-check.ts";
import { outboxMigrations } from "./migrations.ts";
import { createOutbox, outboxEvent } from "./outbox.ts";
import { createOutboxRelay, type OutboxRelayOptions } from "./relay.ts";
import { outboxRetention } from "./retention.ts";
import { BUCKETS, bucketOf, type OutboxTables } from "./tables.ts";

const log = createLogger({ level: "silent", name: "test" });
const ids = createIds(systemClock);
const type = StringValueSchema.typeName;

const event = (aggregate: string, value: string, tenant = "tenant-a") =>
  outboxEvent(StringValueSchema, create(StringValueSchema, { value }), { tenant, aggregate });

const textOf = ({ data }: BusEvent) => fromBinary(StringValueSchema, data).value;

describeEachDatabase("the outbox relay", (open) => {
  const opened = async () => {
    const db = await open<OutboxTables>();
    await migrate(db, outboxMigrations);
    const outbox = createOutbox({ source: "docket/test", ids, clock: systemClock });
    const bus = createInProcessBus({ log, redelivery: { initialMs: 1, maxMs: 2 } });
    const seen: BusEvent[] = [];
    const relayOn = (options: Partial<OutboxRelayOptions<OutboxTables>> = {}) =>
      createOutboxRelay({ db, bus, outbox, log, pollMs: 10, retry: { initialMs: 1, maxMs: 5 }, ...options });
    const publish = (...events: readonly ReturnType<typeof event>[]) =>
      db.transaction((trx) => outbox.publish(trx, events));
    const listen = () => bus.subscribe("test", [type], async (delivered) => void seen.push(...delivered));
    const unsent = async () => {
      const rows = await db.kysely.selectFrom("outbox_messages").select("id").where("sent_at", "is", null).execute();
      return rows.length;
    };
    return { db, outbox, bus, seen, relayOn, publish, listen, unsent };
  };

  test("sends what was committed with all its attributes, in order, and marks it", async () => {
    const it = await opened();
    it.listen();
    await using relay = it.relayOn();
    relay.start();
    const first = { ...event("things/a", "one"), id: "event-1", extensions: { causationid: "cause" } };
    await it.publish(first, event("things/a", "two"), event("things/b", "three"));
    await until(async () => (await it.unsent()) === 0);
    const ofA = it.seen.filter(({ aggregate }) => aggregate === "things/a");
    expect(ofA.map((delivered) => [delivered.sequence, textOf(delivered)])).toEqual([
      [1, "one"],
      [2, "two"],
    ]);
    const { time, data, ...rest } = ofA[0] ?? {};
    expect(rest).toEqual({
      ...{ id: "event-1", type, source: "docket/test", aggregate: "things/a", sequence: 1, tenant: "tenant-a" },
      extensions: { causationid: "cause" },
    });
    expect(Math.abs(Date.now() - (time?.getTime() ?? 0))).toBeLessThan(60_000);
    expect(new Uint8Array(data ?? [])).toEqual(
      toBinary(StringValueSchema, create(StringValueSchema, { value: "one" })),
    );
  });

  test("sends at once after a commit, however seldom it looks", async () => {
    const it = await opened();
    it.listen();
    await using relay = it.relayOn({ pollMs: 60_000 });
    relay.start();
    await it.publish(event("things/a", "one"));
    await until(() => it.seen.length === 1);
    await it.publish(event("things/a", "two"));
    await until(() => it.seen.length === 2);
  });

  test("sends what is committed in its process without reading the table, also what follows events in transit", async () => {
    const statements = createStatementLog();
    const db = await open<OutboxTables>({ onStatement: statements.onStatement });
    await migrate(db, outboxMigrations);
    const outbox = createOutbox({ source: "docket/test", ids, clock: systemClock });
    const published: string[][] = [];
    let release = Promise.withResolvers<void>();
    const bus: EventBus = {
      async publish(events) {
        published.push(events.map(textOf));
        await release.promise;
      },
      subscribe: () => ({ [Symbol.asyncDispose]: async () => {} }),
      [Symbol.asyncDispose]: async () => {},
    };
    await using relay = createOutboxRelay({ db, bus, outbox, log, pollMs: 60_000, leaseMs: 600_000 });
    const commit = (...values: string[]) =>
      db.transaction((trx) =>
        outbox.publish(
          trx,
          values.map((value) => event("things/a", value)),
        ),
      );
    const looks = () => statements.count(/^select \* from .outbox_messages/);
    const marks = () => statements.count(/^update .outbox_messages/);
    const unsent = async () =>
      (await db.kysely.selectFrom("outbox_messages").select("id").where("sent_at", "is", null).execute()).length;
    relay.start();
    await until(() => looks() === 1);
    await commit("one");
    await until(() => published.length === 1);
    await commit("two", "three");
    await commit("four");
    const accepted = release;
    release = Promise.withResolvers();
    accepted.resolve();
    await until(() => published.length === 2);
    release.resolve();
    await until(async () => (await unsent()) === 0);
    await commit("five");
    await until(async () => published.length === 3 && (await unsent()) === 0);
    expect(published).toEqual([["one"], ["two", "three", "four"], ["five"]]);
    expect(looks()).toBe(1);
    expect(marks()).toBeLessThanOrEqual(3);
  });

  test("reads the table for an aggregate whose earlier events it does not know, and continues from memory", async () => {
    const it = await opened();
    it.listen();
    const elsewhere = createOutbox({ source: "docket/elsewhere", ids, clock: systemClock });
    await it.db.transaction((trx) => elsewhere.publish(trx, [event("things/a", "one")]));
    await using relay = it.relayOn({ pollMs: 60_000 });
    relay.start();
    await until(() => it.seen.length === 1);
    // Its process dies between its commit and its hand-over.
    await it.db.transaction((trx) => elsewhere.publish(trx, [event("things/a", "two")]));
    await it.publish(event("things/a", "three"), event("things/b", "first"));
    await it.publish(event("things/a", "four"));
    await until(() => it.seen.length === 5);
    expect(it.seen.filter(({ aggregate }) => aggregate === "things/a").map(textOf)).toEqual([
      ...["one", "two", "three", "four"],
    ]);
    await until(async () => (await it.unsent()) === 0);
  });

  test("leaves to the table what it has no room for, and what follows a rejection", async () => {
    const it = await opened();
    let rejections = 3;
    const publish = it.bus.publish;
    it.bus.publish = async (events) => {
      if (events.some((sent) => textOf(sent) === "bad") && rejections > 0) {
        rejections -= 1;
        throw new Error("not taken");
      }
      await publish(events);
    };
    it.listen();
    await using relay = it.relayOn({ pollMs: 60_000, concurrency: 2 });
    relay.start();
    await it.publish(event("things/a", "bad"));
    await it.publish(event("things/a", "good"));
    await Promise.all(Array.from({ length: 20 }, (_, nth) => it.publish(event(`things/b${nth}`, "one"))));
    await until(async () => (await it.unsent()) === 0);
    expect(rejections).toBe(0);
    expect(it.seen.filter(({ aggregate }) => aggregate === "things/a").map(textOf)).toEqual(["bad", "good"]);
    expect(new Set(it.seen.map(({ aggregate }) => aggregate)).size).toBe(21);
  });

  test("two processes hand over their own events and find each other's, in order", async () => {
    const it = await opened();
    await using other = await openDatabase<OutboxTables>({ url: it.db.url });
    const outboxes = [it.outbox, createOutbox({ source: "docket/other", ids, clock: systemClock })] as const;
    it.listen();
    await using one = it.relayOn({ leaseMs: 400 });
    await using two = it.relayOn({ db: other, outbox: outboxes[1], leaseMs: 400 });
    one.start();
    two.start();
    const next = new Map<string, Promise<unknown>>();
    for (let nth = 0; nth < 200; nth++) {
      const aggregate = `things/${nth % 10}`;
      const [db, outbox] = nth % 3 === 0 ? [other, outboxes[1]] : [it.db, outboxes[0]];
      const before = next.get(aggregate);
      const publish = async () => {
        await before;
        await db.transaction((trx) => outbox.publish(trx, [event(aggregate, String(nth))]));
      };
      next.set(aggregate, publish());
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(next.values());
    await until(async () => (await it.unsent()) === 0);
    for (const aggregate of next.keys()) {
      // A relay may send again what another has sent; each event is first seen in its order.
      const first = [
        ...new Set(it.seen.filter((sent) => sent.aggregate === aggregate).map(({ sequence }) => sequence)),
      ];
      expect(first).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
    }
  });

  test("sends nothing of a transaction that rolled back, and everything that another process committed", async () => {
    const it = await opened();
    it.listen();
    await using relay = it.relayOn();
    relay.start();
    const elsewhere = createOutbox({ source: "docket/other", ids, clock: systemClock });
    await expect(
      it.db.transaction(async (trx) => {
        await it.outbox.publish(trx, [event("things/a", "never")]);
        throw new Error("roll back");
      }),
    ).rejects.toThrow("roll back");
    await it.db.transaction((trx) => elsewhere.publish(trx, [event("things/a", "polled")]));
    await until(() => it.seen.length > 0);
    expect(it.seen.map(textOf)).toEqual(["polled"]);
  });

  test("sends an event whose id is lower than that of one sent before", async () => {
    const it = await opened();
    it.listen();
    await using relay = it.relayOn();
    relay.start();
    await it.publish({ ...event("things/z", "late id first"), id: "zzz" });
    await until(() => it.seen.length === 1);
    await it.publish({ ...event("things/a", "early id last"), id: "aaa" });
    await until(() => it.seen.length === 2);
  });

  test("an aggregate waits at the event that the bus does not take, in order; others go on", async () => {
    const it = await opened();
    const taken: string[] = [];
    let broken = true;
    const bus: EventBus = {
      async publish(events) {
        for (const each of events) {
          if (broken && textOf(each) === "a2") {
            throw new Error("not now");
          }
          taken.push(textOf(each));
        }
      },
      subscribe: it.bus.subscribe,
      [Symbol.asyncDispose]: async () => {},
    };
    await using relay = it.relayOn({ bus });
    relay.start();
    await it.publish(event("things/a", "a1"));
    await until(() => taken.includes("a1"));
    await it.publish(event("things/a", "a2"), event("things/a", "a3"), event("things/b", "b1"));
    await until(() => taken.includes("b1"));
    await it.publish(event("things/a", "a4"), event("things/b", "b2"));
    await until(() => taken.includes("b2"));
    expect(taken.filter((value) => value.startsWith("a"))).toEqual(["a1"]);
    broken = false;
    await until(async () => (await it.unsent()) === 0);
    expect(taken.filter((value) => value.startsWith("a"))).toEqual(["a1", "a2", "a3", "a4"]);
  });

  test("a long backlog of many aggregates is sent once each and in order, few at a time", async () => {
    const it = await opened();
    for (let round = 0; round < 12; round++) {
      await it.publish(
        ...Array.from({ length: 120 }, (_, nth) => event(`things/${nth % 40}`, `${round} ${nth}`, `tenant-${nth % 3}`)),
      );
    }
    it.listen();
    await using relay = it.relayOn({ concurrency: 7 });
    relay.start();
    await until(async () => (await it.unsent()) === 0);
    expect(it.seen.length).toBe(1440);
    const lanes = Map.groupBy(it.seen, ({ tenant, aggregate }) => `${tenant} ${aggregate}`);
    expect(lanes.size).toBe(120);
    for (const lane of lanes.values()) {
      expect(lane.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 12 }, (_, at) => at + 1));
    }
  });

  test("two relays on one database divide the aggregates and send nothing twice", async () => {
    const it = await opened();
    const sentBy: Record<string, string[]> = { one: [], two: [] };
    const busOf = (name: string): EventBus => ({
      publish: async (events) => void sentBy[name]?.push(...events.map(({ id }) => id)),
      subscribe: it.bus.subscribe,
      [Symbol.asyncDispose]: async () => {},
    });
    await using one = it.relayOn({ bus: busOf("one"), leaseMs: 600 });
    await using two = it.relayOn({ bus: busOf("two"), leaseMs: 600 });
    one.start();
    two.start();
    await until(async () => {
      const rows = await it.db.kysely.selectFrom("outbox_buckets").select("owner").distinct().execute();
      return rows.length === 2 && rows.every(({ owner }) => owner !== "");
    });
    for (let nth = 0; nth < 60; nth++) {
      await it.publish(event(`things/${nth}`, "x"));
    }
    await until(async () => (await it.unsent()) === 0);
    const all = [...(sentBy["one"] ?? []), ...(sentBy["two"] ?? [])];
    expect(new Set(all).size).toBe(60);
    expect(all.length).toBe(60);
    expect(Math.min(sentBy["one"]?.length ?? 0, sentBy["two"]?.length ?? 0)).toBeGreaterThan(5);
  });

  test("takes over the share of a dead relay when its lease is over, and at once what a drained one gave back", async () => {
    const it = await opened();
    it.listen();
    const dead = createBucketLeases(it.db, { owner: "dead", leaseMs: 400 });
    expect((await dead.renew()).length).toBe(BUCKETS);
    await using relay = it.relayOn({ leaseMs: 300 });
    relay.start();
    await it.publish(event("things/a", "one"));
    await until(() => it.seen.length === 1);
    await relay.drain();
    const next = createBucketLeases(it.db, { owner: "next", leaseMs: 400 });
    expect((await next.renew()).length).toBe(BUCKETS);
  });

  test("divides an odd number of buckets among three, and each bucket has one owner", async () => {
    const it = await opened();
    const relays = ["a", "b", "c"].map((owner) => createBucketLeases(it.db, { owner, leaseMs: 60_000 }));
    for (let round = 0; round < 3; round++) {
      for (const relay of relays) {
        await relay.renew();
      }
    }
    const shares = await Promise.all(relays.map((relay) => relay.renew()));
    expect(shares.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: BUCKETS }, (_, bucket) => bucket));
    expect(shares.map((share) => share.length).sort()).toEqual([10, 11, 11]);
  });

  test("the lag check warns of events that wait for long", async () => {
    const it = await opened();
    const check = outboxLagCheck(it.db, "test", 1_000);
    expect(await check.run(new AbortController().signal)).toEqual({ status: "pass" });
    await it.publish(event("things/a", "one"));
    expect(await check.run(new AbortController().signal)).toEqual({ status: "pass" });
    await it.db.kysely
      .updateTable("outbox_messages")
      .set({ published_at: Date.now() - 5_000 })
      .execute();
    expect(await check.run(new AbortController().signal)).toMatchObject({ status: "warn" });
  });

  test("prunes sent rows after the retention, but not an aggregate's last, so that its numbers go on", async () => {
    const it = await opened();
    it.listen();
    await it.publish(...["1", "2", "3"].map((value) => event("things/a", value)), event("things/b", "1"));
    await using relay = it.relayOn();
    relay.start();
    await until(async () => (await it.unsent()) === 0);
    await relay.drain();
    await it.publish(event("things/b", "2"));
    await it.db.kysely
      .updateTable("outbox_messages")
      .set({ sent_at: 1_000 })
      .where("sent_at", "is not", null)
      .execute();
    expect(await pruneTable(it.db, outboxRetention(it.db, 60_000))).toBe(false);
    const rows = async () => {
      const found = it.db.kysely.selectFrom("outbox_messages").select(["aggregate", "sequence", "sent_at", "data"]);
      const all = await found.orderBy("aggregate").orderBy("sequence").execute();
      return all.map(({ aggregate, sequence, sent_at, data }) => [aggregate, Number(sequence), sent_at, data.length]);
    };
    expect(await rows()).toEqual([
      ["things/a", 3, 0, 0],
      ["things/b", 1, 0, 0],
      ["things/b", 2, null, 3],
    ]);
    await it.publish(event("things/a", "4"));
    expect((await rows())[1]).toEqual(["things/a", 4, null, 3]);
  });

  test("sends on demand what is unsent, without a loop, and keeps no bucket", async () => {
    const it = await opened();
    it.listen();
    await using relay = it.relayOn();
    const { signal } = new AbortController();
    expect(await relay.runDue(signal)).toBe(false);
    await it.publish(event("things/a", "one"), event("things/a", "two"), event("things/b", "three"));
    expect(await relay.runDue(signal)).toBe(true);
    expect(it.seen.map(textOf).sort()).toEqual(["one", "three", "two"]);
    expect(await it.unsent()).toBe(0);
    await it.publish(event("things/a", "four"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(it.seen).toHaveLength(3);
    const held = it.db.kysely.selectFrom("outbox_buckets").select("bucket").where("leased_until", ">", 0).execute();
    expect(await held).toEqual([]);
  });

  test("on demand waits for the share of a relay that is sending, and leaves what the bus rejects for later", async () => {
    const it = await opened();
    it.listen();
    const other = createBucketLeases(it.db, { owner: "other", leaseMs: 60_000 });
    await other.renew();
    await using relay = it.relayOn({ retry: { initialMs: 60_000, maxMs: 60_000 } });
    await it.publish(event("things/a", "one"));
    const { signal } = new AbortController();
    const sending = relay.runDue(signal);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(it.seen).toEqual([]);
    await other.release();
    expect(await sending).toBe(true);
    expect(it.seen.map(textOf)).toEqual(["one"]);

    let isBroken = true;
    const flaky: EventBus = {
      ...it.bus,
      publish: (events) => (isBroken ? Promise.reject(new Error("not now")) : it.bus.publish(events)),
    };
    await using second = it.relayOn({ bus: flaky, retry: { initialMs: 60_000, maxMs: 60_000 } });
    await it.publish(event("things/b", "two"));
    await second.runDue(signal);
    expect(await it.unsent()).toBe(1);
    isBroken = false;
    expect(await second.runDue(signal)).toBe(true);
    expect(await it.unsent()).toBe(0);
  });
});

test("aggregates spread over the buckets, by tenant and name", () => {
  const buckets = Array.from({ length: 3_200 }, (_, nth) => bucketOf("tenant", `things/${nth}`));
  const counts = Array.from({ length: BUCKETS }, (_, bucket) => buckets.filter((each) => each === bucket).length);
  expect(Math.min(...counts)).toBeGreaterThan(50);
  expect(bucketOf("a", "b")).not.toBe(bucketOf("ab", ""));
});
