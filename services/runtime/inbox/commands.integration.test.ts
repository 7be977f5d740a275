import { create, toBinary } from "@bufbuild/protobuf";
import { BytesValueSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import type { Transaction } from "kysely";
import { busEvent } from "../bus/event-bus-suite.ts";
import { createInProcessBus } from "../bus/in-process.ts";
import { createCommandsInTransaction } from "../commands/in-transaction.ts";
import { type AccountTables, accountMigrations, add, eventsOf, open, stored } from "../commands/testing/accounts.ts";
import { migrate } from "../db/migrate.ts";
import { createOutbox } from "../outbox/outbox.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";
import { createConsumer } from "./consumer.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { on, onAsCommand } from "./handlers.ts";
import { inboxMigrations } from "./migrations.ts";
import type { InboxTables } from "./tables.ts";

type Tables = AccountTables & InboxTables;

const log = createLogger({ level: "silent", name: "test" });
const ids = createIds(systemClock);

/** An event that opens the account of its aggregate with "open", or adds an amount to it. */
const said = (account: string, value: string, sequence = 1) =>
  busEvent({
    aggregate: `accounts/${account}`,
    sequence,
    type: StringValueSchema.typeName,
    data: toBinary(StringValueSchema, create(StringValueSchema, { value })),
  });

describeEachDatabase("a consumer with commands", (openDatabase) => {
  const opened = async () => {
    const statements = createStatementLog();
    const db = await openDatabase<Tables>({ onStatement: statements.onStatement });
    await migrate(db, { ...accountMigrations, ...inboxMigrations });
    const bus = createInProcessBus({ log, redelivery: { initialMs: 1, maxMs: 5 } });
    const outbox = createOutbox({ source: "docket/test", ids, clock: systemClock });
    const closed = new Set<string>();
    const batches: number[] = [];
    const consumer = createConsumer<Tables>({
      ...{ db, bus, log, ids, consumer: "test.accounts", maxAttempts: 3, retry: { initialMs: 1, maxMs: 2 } },
      runCommands: createCommandsInTransaction({ dialect: db.dialect, outbox, clock: systemClock }),
      handlers: [
        onAsCommand(StringValueSchema, async (_, received) => {
          batches.push(received.length);
          return received.map(({ message: { value }, event }) => {
            const id = event.aggregate.slice("accounts/".length);
            const command = value === "open" ? open(id) : add(id, Number(value));
            return {
              keys: command.keys,
              decide(batch) {
                command.decide(batch);
                if (closed.has(`${id} ${value}`)) {
                  throw new Error(`${id} takes no ${value}`);
                }
              },
            };
          });
        }),
        on(BytesValueSchema, async (trx: Transaction<Tables>, _, event) => {
          await trx
            .insertInto("receipts")
            .values({ tenant_id: "t", id: `${event.aggregate} ${event.sequence}`, balance: 1 })
            .execute();
        }),
      ],
    });
    consumer.start();
    const letters = createDeadLetters(db, [consumer]);
    return { db, bus, closed, batches, statements, letters };
  };

  test("handles the messages of a batch with one statement a table, however many they are", async () => {
    const { db, bus, batches, statements } = await opened();
    const names = Array.from({ length: 30 }, (_, nth) => `a${nth}`);
    const countOf = async (events: Parameters<typeof bus.publish>[0]) => {
      statements.clear();
      await bus.publish(events);
      return statements.count(/accounts|account_notes|outbox_messages|inbox_messages/);
    };
    // The inbox; accounts read and inserted; the outbox, read for its sequences and inserted.
    expect(await countOf(names.map((name) => said(name, "open")))).toBe(5);
    // The same, with the notes of accounts that exist.
    expect(await countOf(names.flatMap((name) => [said(name, "1", 2), said(name, "2", 3)]))).toBe(6);
    expect(batches).toEqual([30, 60]);
    const balances = Object.values(await stored(db)).map(({ balance }) => balance);
    expect(balances).toEqual(names.map(() => 3));
    expect(await eventsOf(db, "a7")).toEqual(["Opened", "Changed 1", "Changed 3"]);
  });

  test("a command that fails parks its aggregate alone, and is replayed as a dead letter", async () => {
    const { db, bus, closed, letters } = await opened();
    closed.add("b 5");
    await bus.publish(
      ["a", "b", "c"].flatMap((name) => ["open", "1", "5", "7"].map((it, at) => said(name, it, at + 1))),
    );
    const balanceOf = async (name: string) => (await stored(db))[name]?.balance;
    expect([await balanceOf("a"), await balanceOf("c")]).toEqual([13, 13]);
    await until(async () => (await balanceOf("b")) === 8);
    const [letter] = await letters.list({ tenant: "tenant-a", limit: 10 });
    expect(letter).toMatchObject({ aggregate: "accounts/b", attempts: 3, error: "Error: b takes no 5" });
    await expect(letters.replay(letter?.id ?? "")).rejects.toThrow("b takes no 5");
    closed.clear();
    expect(await letters.replay(letter?.id ?? "")).toBe(true);
    expect(await balanceOf("b")).toBe(13);
    expect(await eventsOf(db, "b")).toEqual(["Opened", "Changed 1", "Changed 8", "Changed 13"]);
  });

  test("a value that cannot be stored parks its aggregate alone, until it is a dead letter", async () => {
    const { db, bus, letters } = await opened();
    await bus.publish(["a", "b", "c"].map((name) => said(name, "open")));
    await bus.publish([said("a", "1", 2), said("b", "1", 2), said("b", "x", 3), said("b", "3", 4), said("c", "1", 2)]);
    const balances = await stored(db);
    expect([balances["a"]?.balance, balances["c"]?.balance]).toEqual([1, 1]);
    await until(async () => (await stored(db))["b"]?.balance === 4);
    expect(await letters.list({ tenant: "tenant-a", limit: 10 })).toMatchObject([
      { aggregate: "accounts/b", attempts: 3, error: "TypeError: NaN cannot be stored" },
    ]);
  });

  test("keeps the order of an aggregate's messages, whether commands or statements", async () => {
    const { db, bus } = await opened();
    const written = (sequence: number) =>
      busEvent({ aggregate: "accounts/a", sequence, type: BytesValueSchema.typeName, data: new Uint8Array() });
    await bus.publish([said("a", "open"), written(2), said("a", "4", 3), written(4)]);
    expect((await stored(db))["a"]?.balance).toBe(4);
    expect(await db.kysely.selectFrom("receipts").select("id").orderBy("id").execute()).toEqual([
      { id: "accounts/a 2" },
      { id: "accounts/a 4" },
    ]);
  });
});
