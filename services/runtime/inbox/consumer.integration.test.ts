import { create, createRegistry, toBinary } from "@bufbuild/protobuf";
import { Int32ValueSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, expect, test } from "@jest/globals";
import type { Transaction } from "kysely";
import { startPropagation } from "../../../gateway/telemetry/start-telemetry.ts";
import { ERASED } from "../api/personal-fields.ts";
import type { BusEvent } from "../bus/event-bus.ts";
import { busEvent } from "../bus/event-bus-suite.ts";
import { createInProcessBus } from "../bus/in-process.ts";
import { int, notNull, text } from "../db/columns.ts";
import type { Database } from "../db/connect.ts";
import { type Migration, migrate } from "../db/migrate.ts";
import { eraseInbox } from "../erasure/erase-messages.ts";
import { pruneTable } from "../retention/prune.ts";
import type { RetentionRule } from "../retention/rule.ts";
import { defaultRetention } from "../retention/settings.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { createIds, firstIdAt } from "../values/ids.ts";
import { type ConsumerOptions, createConsumer } from "./consumer.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { on } from "./handlers.ts";
import { inboxMigrations } from "./migrations.ts";
import { parkedCheck } from "./parked-check.ts";
import { inboxRetention } from "./retention.ts";
import type { InboxTables } from "./tables.ts";

interface Tables extends InboxTables {
  effects: { name: string; times: number };
}

const effects: Migration = {
  async up({ schema }) {
    await schema
      .createTable("effects")
      .ifNotExists()
      .addColumn("name", text(64), notNull)
      .addColumn("times", int)
      .execute();
  },
};

const log = createLogger({ level: "silent", name: "test" });
const ids = createIds(systemClock);

const rulesOf = (db: Database<Tables>) =>
  inboxRetention({ db, clock: systemClock, ids }, { ...defaultRetention, inboxMs: 60_000, deadLettersMs: 60_000 });

const pruned = (db: Database<Tables>, rule: RetentionRule | undefined) =>
  rule === undefined ? Promise.reject(new Error("no rule")) : pruneTable(db, rule);

const said = (
  value: string,
  attributes: Partial<Pick<BusEvent, "id" | "aggregate" | "sequence" | "extensions">> = {},
) =>
  busEvent({
    ...attributes,
    type: StringValueSchema.typeName,
    data: toBinary(StringValueSchema, create(StringValueSchema, { value })),
  });

beforeAll(startPropagation);

describeEachDatabase("a consumer", (open) => {
  const opened = async (options: Partial<ConsumerOptions<Tables>> = {}) => {
    const db = await open<Tables>();
    await migrate(db, { ...inboxMigrations, effects });
    const bus = createInProcessBus({ log, redelivery: { initialMs: 1, maxMs: 5 } });
    const broken = new Set<string>();
    const record = on(StringValueSchema, async (trx: Transaction<Tables>, message) => {
      await trx.insertInto("effects").values({ name: message.value, times: 1 }).execute();
      if (broken.has(message.value)) {
        throw new Error(`${message.value} is broken`, { cause: new Error("deep down") });
      }
    });
    const consumer = createConsumer({
      ...{ db, bus, log, ids, consumer: "test.effects", handlers: [record], maxAttempts: 3 },
      ...{ retry: { initialMs: 1, maxMs: 2 } },
      ...options,
    });
    consumer.start();
    const names = async () => (await db.kysely.selectFrom("effects").select("name").execute()).map(({ name }) => name);
    const letters = createDeadLetters(db, [consumer]);
    const untilDead = async (count = 1) => {
      await until(async () => (await letters.list({ tenant: "tenant-a", limit: 10 })).length === count);
      return letters.list({ tenant: "tenant-a", limit: 10 });
    };
    const untilNames = (...expected: string[]) => until(async () => `${await names()}` === `${expected}`);
    return { db, bus, consumer, broken, names, letters, untilDead, untilNames };
  };

  test("has the effect of a message once, however often and however much at once it is delivered", async () => {
    const { bus, names } = await opened();
    const event = said("once");
    await bus.publish([event]);
    await Promise.all(["a", "b", "c", "d"].map((lane) => bus.publish([{ ...event, aggregate: `things/${lane}` }])));
    expect(await names()).toEqual(["once"]);
  });

  test("two consumers of one message each have their effect", async () => {
    const { bus, names, db } = await opened();
    const again = on(StringValueSchema, async (trx: Transaction<Tables>, message) => {
      await trx
        .insertInto("effects")
        .values({ name: `${message.value} again`, times: 1 })
        .execute();
    });
    await using _second = createConsumer({ db, bus, log, ids, consumer: "test.again", handlers: [again] });
    await bus.publish([said("hello")]);
    expect((await names()).sort()).toEqual(["hello", "hello again"]);
  });

  test("an attempt that fails leaves nothing but the parked message, and a later one succeeds", async () => {
    const { bus, broken, names, db, untilNames } = await opened({ maxAttempts: 1_000 });
    broken.add("shaky");
    await bus.publish([said("shaky")]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await names()).toEqual([]);
    expect(await db.kysely.selectFrom("inbox_messages").selectAll().execute()).toEqual([]);
    expect(await db.kysely.selectFrom("inbox_parked_events").select("sequence").execute()).toEqual([{ sequence: 1 }]);
    broken.delete("shaky");
    await untilNames("shaky");
    await until(async () => (await db.kysely.selectFrom("inbox_parked").selectAll().execute()).length === 0);
    expect(await db.kysely.selectFrom("inbox_parked_events").selectAll().execute()).toEqual([]);
  });

  test("a poison message becomes a dead letter after its attempts, and the next of its aggregate follows", async () => {
    const { bus, broken, letters, untilNames } = await opened();
    broken.add("poison");
    const poison = said("poison", { aggregate: "things/1", sequence: 1 });
    await bus.publish([poison, said("healthy", { aggregate: "things/1", sequence: 2 })]);
    await untilNames("healthy");
    const [letter] = await letters.list({ tenant: "tenant-a", limit: 10 });
    expect(letter).toMatchObject({
      consumer: "test.effects",
      messageId: poison.id,
      attempts: 3,
      aggregate: "things/1",
    });
    expect(letter?.error).toBe("Error: poison is broken\nError: deep down");
    expect(new Uint8Array(letter?.data ?? [])).toEqual(poison.data);
    expect(await letters.list({ tenant: "tenant-b", limit: 10 })).toEqual([]);
    expect(await letters.list({ tenant: "tenant-a", limit: 10, beforeId: letter?.id ?? "" })).toEqual([]);
  });

  test("failed attempts at a message are logged in the trace that published it", async () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const { bus, broken, untilDead } = await opened({
      log: createLogger({ level: "warn", name: "test", destination }),
    });
    const trace = "0af7651916cd43dd8448eb211c80319c";
    broken.add("poison");
    await bus.publish([said("poison", { extensions: { traceparent: `00-${trace}-b7ad6b7169203331-01` } })]);
    await untilDead();
    const logged = () => lines.map((line) => JSON.parse(line) as { msg: string; trace_id?: string });
    await until(() => logged().length === 3);
    expect(logged()).toMatchObject([
      { msg: "aggregate was parked", trace_id: trace },
      { msg: "message failed again", trace_id: trace },
      { msg: "message became a dead letter", trace_id: trace },
    ]);
  });

  test("a message that cannot be decoded becomes a dead letter at once", async () => {
    const { bus, letters } = await opened();
    await bus.publish([busEvent({ type: StringValueSchema.typeName, data: Uint8Array.of(255, 255, 255) })]);
    const [letter] = await letters.list({ tenant: "tenant-a", limit: 10 });
    expect(letter).toMatchObject({ attempts: 1 });
    expect(letter?.error).toContain("not a google.protobuf.StringValue");
  });

  test("a dead letter can be replayed; repeated or at once, it has one effect", async () => {
    const { bus, broken, names, letters, consumer, untilDead } = await opened();
    broken.add("poison");
    await bus.publish([said("poison")]);
    const [letter] = await untilDead();
    const id = letter?.id ?? "";
    await expect(letters.replay(id)).rejects.toThrow("poison is broken");
    expect(await letters.get(id)).toMatchObject({ attempts: 4 });
    broken.clear();
    const replays = await Promise.all([letters.replay(id), letters.replay(id), consumer.replay(id)]);
    expect(replays).toEqual([true, true, true]);
    expect(await letters.replay(id)).toBe(true);
    expect(await names()).toEqual(["poison"]);
    expect((await letters.get(id))?.replayedAt).toBeGreaterThan(Date.now() - 60_000);
    expect(await letters.replay("unknown")).toBe(false);
  });

  test("a replay of a message that was handled meanwhile has no second effect", async () => {
    const { bus, broken, names, letters, untilDead } = await opened();
    broken.add("poison");
    const event = said("poison");
    await bus.publish([event]);
    const [letter] = await untilDead();
    broken.clear();
    await bus.publish([event]);
    expect(await letters.replay(letter?.id ?? "")).toBe(true);
    expect(await names()).toEqual(["poison"]);
  });

  test("a batch is one transaction with one statement of the inbox, however many its aggregates", async () => {
    const statements = createStatementLog();
    const db = await open<Tables>({ onStatement: statements.onStatement });
    await migrate(db, { ...inboxMigrations, effects });
    const bus = createInProcessBus({ log });
    const insert = on(StringValueSchema, async (trx: Transaction<Tables>, { value }) => {
      await trx.insertInto("effects").values({ name: value, times: 1 }).execute();
    });
    await using _consumer = createConsumer({ db, bus, log, ids, consumer: "test.batch", handlers: [insert] });
    statements.clear();
    await bus.publish(Array.from({ length: 20 }, (_, nth) => said(`${nth}`)));
    expect(statements.count(/effects/)).toBe(20);
    expect(statements.count(/inbox_messages/)).toBe(1);
    expect(statements.count(/commit/i)).toBe(1);
  });

  test("an aggregate that fails is parked, and the others of its batch are handled without delay", async () => {
    const { bus, broken, names, db } = await opened({ retry: { initialMs: 60_000, maxMs: 60_000 }, random: () => 1 });
    broken.add("b2");
    broken.add("d1");
    const of = (name: string) =>
      [1, 2, 3].map((sequence) => said(`${name}${sequence}`, { aggregate: `things/${name}`, sequence }));
    await bus.publish(["a", "b", "c", "d", "e"].flatMap(of));
    expect((await names()).sort()).toEqual(["a1", "a2", "a3", "b1", "c1", "c2", "c3", "e1", "e2", "e3"]);
    const parked = db.kysely.selectFrom("inbox_parked_events").select(["aggregate", "sequence"]);
    expect((await parked.execute()).map(({ aggregate, sequence }) => `${aggregate} ${sequence}`).sort()).toEqual([
      ...["things/b 2", "things/b 3", "things/d 1", "things/d 2", "things/d 3"],
    ]);
    const roots = await db.kysely.selectFrom("inbox_parked").select(["aggregate", "attempts", "error"]).execute();
    expect(roots.find(({ aggregate }) => aggregate === "things/b")).toMatchObject({
      attempts: 1,
      error: "Error: b2 is broken\nError: deep down",
    });
  });

  test("what follows a parked message waits behind it in any process, and a later process handles it in order", async () => {
    const slow = { retry: { initialMs: 60_000, maxMs: 60_000 }, random: () => 1, pollMs: 10 };
    const { bus, broken, names, db, consumer, untilNames } = await opened(slow);
    const elsewhere = createInProcessBus({ log });
    broken.add("1");
    const event = (sequence: number) => said(`${sequence}`, { aggregate: "things/a", sequence });
    await bus.publish([event(1)]);
    await bus.publish([event(2), said("other")]);
    const handled: string[] = [];
    const record = on(StringValueSchema, async (trx: Transaction<Tables>, { value }) => {
      await trx.insertInto("effects").values({ name: value, times: 1 }).execute();
      handled.push(value);
    });
    await consumer[Symbol.asyncDispose]();
    await using other = createConsumer({
      ...{ db, bus: elsewhere, log, ids, consumer: "test.effects", handlers: [record] },
      ...slow,
    });
    other.start();
    await elsewhere.publish([event(3)]);
    await elsewhere.publish([event(2), event(1), event(4)]);
    expect(await names()).toEqual(["other"]);
    await db.kysely.updateTable("inbox_parked").set({ due_at: 1 }).execute();
    await untilNames("other", "1", "2", "3", "4");
    expect(handled).toEqual(["1", "2", "3", "4"]);
    await elsewhere.publish([event(5)]);
    expect(handled).toEqual(["1", "2", "3", "4", "5"]);
  });

  test("each message of a parked aggregate has attempts of its own", async () => {
    const { bus, broken, untilDead, untilNames } = await opened();
    for (const name of ["1", "3", "4"]) {
      broken.add(name);
    }
    await bus.publish([1, 2, 3, 4, 5].map((sequence) => said(`${sequence}`, { aggregate: "things/a", sequence })));
    await untilNames("2", "5");
    const letters = await untilDead(3);
    expect(letters.map(({ error, attempts }) => `${error.slice(7, 8)} ${attempts}`)).toEqual(["4 3", "3 3", "1 3"]);
  });

  test("with a single attempt a message is a dead letter at once, and what follows is still handled", async () => {
    const { bus, broken, untilDead, untilNames } = await opened({ maxAttempts: 1 });
    broken.add("1");
    broken.add("2");
    await bus.publish([1, 2, 3].map((sequence) => said(`${sequence}`, { aggregate: "things/a", sequence })));
    await untilNames("3");
    expect((await untilDead(2)).map(({ attempts }) => attempts)).toEqual([1, 1]);
  });

  test("a long tail of a parked aggregate is handled page by page, in order", async () => {
    const { bus, broken, db, names } = await opened({ maxAttempts: 1_000 });
    broken.add("1");
    const events = Array.from({ length: 300 }, (_, at) =>
      said(`${at + 1}`, { aggregate: "things/a", sequence: at + 1 }),
    );
    await bus.publish(events);
    broken.clear();
    await until(async () => (await names()).length === 300);
    expect(await names()).toEqual(events.map(({ sequence }) => `${sequence}`));
    await until(async () => (await db.kysely.selectFrom("inbox_parked").selectAll().execute()).length === 0);
  });

  test("an unreachable database parks nothing: the bus delivers the batch again", async () => {
    const { bus, db, names } = await opened();
    const lost = Object.assign(new Error("connection lost"), { code: "ECONNRESET" });
    let outages = 3;
    const record = on(StringValueSchema, async (trx: Transaction<Tables>, { value }) => {
      await trx
        .insertInto("effects")
        .values({ name: `${value} again`, times: 1 })
        .execute();
    });
    const flaky = {
      ...db,
      transaction: (async (fn) => {
        outages -= 1;
        if (outages >= 0) {
          throw lost;
        }
        return db.transaction(fn);
      }) as typeof db.transaction,
    };
    await using _second = createConsumer({ db: flaky, bus, log, ids, consumer: "test.again", handlers: [record] });
    await bus.publish([said("a")]);
    expect((await names()).sort()).toEqual(["a", "a again"]);
    expect(await db.kysely.selectFrom("inbox_parked").selectAll().execute()).toEqual([]);
  });

  test("warns of parked aggregates that are overdue", async () => {
    const { bus, broken, db, consumer } = await opened({
      retry: { initialMs: 60_000, maxMs: 60_000 },
      random: () => 1,
    });
    const { run } = parkedCheck(db, "test");
    broken.add("a");
    await bus.publish([said("a")]);
    await consumer[Symbol.asyncDispose]();
    expect(await run(new AbortController().signal)).toEqual({ status: "pass" });
    await db.kysely
      .updateTable("inbox_parked")
      .set({ due_at: Date.now() - 120_000 })
      .execute();
    expect(await run(new AbortController().signal)).toMatchObject({ status: "warn" });
  });

  test("what a consumer that exists no more has parked becomes dead letters after the retention", async () => {
    const { bus, broken, db, consumer, letters } = await opened({
      ...{ retry: { initialMs: 60_000, maxMs: 60_000 }, random: () => 1 },
    });
    broken.add("a");
    await bus.publish([
      said("a", { aggregate: "things/a", sequence: 1 }),
      said("b", { aggregate: "things/a", sequence: 2 }),
    ]);
    await consumer[Symbol.asyncDispose]();
    const [, , parked] = rulesOf(db);
    expect(await pruned(db, parked)).toBe(false);
    expect(await letters.list({ tenant: "tenant-a", limit: 10 })).toEqual([]);
    await db.kysely
      .updateTable("inbox_parked")
      .set({ due_at: Date.now() - 120_000 })
      .execute();
    expect(await pruned(db, parked)).toBe(false);
    expect((await letters.list({ tenant: "tenant-a", limit: 10 })).map(({ error }) => error.split("\n")[0])).toEqual([
      "Error: a is broken",
      "Error: a is broken",
    ]);
    expect(await db.kysely.selectFrom("inbox_parked").selectAll().execute()).toEqual([]);
    expect(await db.kysely.selectFrom("inbox_parked_events").selectAll().execute()).toEqual([]);
  });

  test("erases personal data from parked events, which are then still handled", async () => {
    const { bus, broken, db, untilNames } = await opened({
      maxAttempts: 1_000,
      retry: { initialMs: 200, maxMs: 200 },
      random: () => 1,
    });
    broken.add("secret");
    await bus.publish([said("secret", { aggregate: "things/a" }), said("kept", { aggregate: "things/b" })]);
    const registry = createRegistry();
    await db.transaction((trx) => eraseInbox(trx, { tenant: "tenant-a", aggregate: "things/a", registry }));
    const events = await db.kysely.selectFrom("inbox_parked_events").select(["aggregate", "data"]).execute();
    expect(events.map(({ data }) => data.length)).toEqual([0]);
    const roots = await db.kysely.selectFrom("inbox_parked").select("error").execute();
    expect(roots).toEqual([{ error: ERASED }]);
    await untilNames("kept", "");
  });

  test("other types are not its business", async () => {
    const { bus, names } = await opened();
    await bus.publish([busEvent({ type: Int32ValueSchema.typeName })]);
    expect(await names()).toEqual([]);
  });

  test("forgets messages after the retention, and only those", async () => {
    const { bus, db } = await opened();
    await bus.publish([said("old", { id: "old" }), said("new", { id: "new" })]);
    await db.kysely.updateTable("inbox_messages").set({ received_at: 1 }).where("message_id", "=", "old").execute();
    const [messages] = rulesOf(db);
    expect(await pruned(db, messages)).toBe(false);
    const left = await db.kysely.selectFrom("inbox_messages").select("message_id").execute();
    expect(left).toEqual([{ message_id: "new" }]);
  });

  test("forgets dead letters after the retention, replayed or not", async () => {
    const { db } = await opened();
    const now = Date.now();
    const letter = (id: string, createdAt: number) => ({
      id: `${firstIdAt(createdAt)}${id}`,
      tenant_id: "t1",
      consumer: "c",
      message_id: id,
      event_type: "x",
      source: "x",
      aggregate: "things/1",
      sequence: 1,
      published_at: 1,
      data: new Uint8Array([1]),
      extensions: null,
      error: "broken",
      attempts: 8,
      created_at: createdAt,
      replayed_at: id === "b" ? now : null,
    });
    const letters = [letter("a", now - 100_000), letter("b", now - 90_000), letter("c", now - 1_000)];
    await db.kysely.insertInto("dead_letters").values(letters).execute();
    const [, deadLetters] = rulesOf(db);
    expect(await pruned(db, deadLetters)).toBe(false);
    const left = await db.kysely.selectFrom("dead_letters").select("message_id").execute();
    expect(left).toEqual([{ message_id: "c" }]);
  });
});
