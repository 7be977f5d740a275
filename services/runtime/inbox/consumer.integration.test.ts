import { create, toBinary } from "@bufbuild/protobuf";
import { Int32ValueSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import type { Transaction } from "kysely";
import { busEvent } from "../bus/event-bus-suite.ts";
import { createInProcessBus } from "../bus/in-process.ts";
import { int, notNull, text } from "../db/columns.ts";
import { type Migration, migrate } from "../db/migrate.ts";
import { defaultRetention } from "../retention/settings.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { systemClock } from "../values/clock.ts";
import { createIds, firstIdAt } from "../values/ids.ts";
import { type ConsumerOptions, createConsumer, on } from "./consumer.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { inboxMigrations } from "./migrations.ts";
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

const said = (value: string, attributes: { id?: string; aggregate?: string; sequence?: number } = {}) =>
  busEvent({
    ...attributes,
    type: StringValueSchema.typeName,
    data: toBinary(StringValueSchema, create(StringValueSchema, { value })),
  });

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
    const names = async () => (await db.kysely.selectFrom("effects").select("name").execute()).map(({ name }) => name);
    const letters = createDeadLetters(db, [consumer]);
    return { db, bus, consumer, broken, names, letters };
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

  test("an attempt that fails leaves nothing behind, and the next one succeeds", async () => {
    const { bus, broken, names, db } = await opened({ maxAttempts: 1_000 });
    broken.add("shaky");
    const published = bus.publish([said("shaky")]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await names()).toEqual([]);
    expect(await db.kysely.selectFrom("inbox_messages").selectAll().execute()).toEqual([]);
    broken.delete("shaky");
    await published;
    expect(await names()).toEqual(["shaky"]);
  });

  test("a poison message becomes a dead letter after its attempts, and the next of its aggregate follows", async () => {
    const { bus, broken, names, letters } = await opened();
    broken.add("poison");
    const poison = said("poison", { aggregate: "things/1", sequence: 1 });
    await bus.publish([poison, said("healthy", { aggregate: "things/1", sequence: 2 })]);
    expect(await names()).toEqual(["healthy"]);
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

  test("a message that cannot be decoded becomes a dead letter at once", async () => {
    const { bus, letters } = await opened();
    await bus.publish([busEvent({ type: StringValueSchema.typeName, data: Uint8Array.of(255, 255, 255) })]);
    const [letter] = await letters.list({ tenant: "tenant-a", limit: 10 });
    expect(letter).toMatchObject({ attempts: 1 });
    expect(letter?.error).toContain("not a google.protobuf.StringValue");
  });

  test("a dead letter can be replayed; repeated or at once, it has one effect", async () => {
    const { bus, broken, names, letters, consumer } = await opened();
    broken.add("poison");
    await bus.publish([said("poison")]);
    const [letter] = await letters.list({ tenant: "tenant-a", limit: 10 });
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
    const { bus, broken, names, letters } = await opened();
    broken.add("poison");
    const event = said("poison");
    await bus.publish([event]);
    broken.clear();
    await bus.publish([event]);
    const [letter] = await letters.list({ tenant: "tenant-a", limit: 10 });
    expect(await letters.replay(letter?.id ?? "")).toBe(true);
    expect(await names()).toEqual(["poison"]);
  });

  test("a consumer that leaves in the middle of its attempts leaves the message to the bus", async () => {
    const { bus, broken, consumer, names } = await opened({
      maxAttempts: 1_000,
      retry: { initialMs: 60_000, maxMs: 60_000 },
      random: () => 1,
    });
    broken.add("shaky");
    const refused = expect(bus.publish([said("shaky")])).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await consumer[Symbol.asyncDispose]();
    await refused;
    expect(await names()).toEqual([]);
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
    const [messages] = inboxRetention({ db, clock: systemClock }, defaultRetention);
    expect(await messages?.prune(60_000)).toBe(false);
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
    const [, deadLetters] = inboxRetention({ db, clock: systemClock }, defaultRetention);
    expect(await deadLetters?.prune(60_000)).toBe(false);
    const left = await db.kysely.selectFrom("dead_letters").select("message_id").execute();
    expect(left).toEqual([{ message_id: "c" }]);
  });
});
