import { create, fromBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import type { Database } from "../db/connect.ts";
import { migrate } from "../db/migrate.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { systemClock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";
import { outboxMigrations } from "./migrations.ts";
import { createOutbox, outboxEvent } from "./outbox.ts";
import type { OutboxTables } from "./tables.ts";

const outbox = createOutbox({ source: "docket/test", ids: createIds(systemClock), clock: systemClock });

const happened = (value: string, aggregate: string, tenant = "tenant-a") =>
  outboxEvent(StringValueSchema, create(StringValueSchema, { value }), { tenant, aggregate });

const sequences = async (db: Database<OutboxTables>, aggregate: string, tenant = "tenant-a") => {
  const rows = await db.kysely
    .selectFrom("outbox_messages")
    .select(["sequence", "data"])
    .where("tenant_id", "=", tenant)
    .where("aggregate", "=", aggregate)
    .orderBy("sequence")
    .execute();
  return rows.map((row) => [row.sequence, fromBinary(StringValueSchema, row.data).value]);
};

describeEachDatabase("the outbox", (open) => {
  const opened = async () => {
    const db = await open<OutboxTables>();
    await migrate(db, outboxMigrations);
    return db;
  };

  test("numbers the events of each aggregate from 1 on, over calls and transactions", async () => {
    await using db = await opened();
    await db.transaction(async (trx) => {
      await outbox.publish(trx, [happened("a1", "things/a"), happened("b1", "things/b"), happened("a2", "things/a")]);
      await outbox.publish(trx, [happened("a3", "things/a"), happened("other tenant", "things/a", "tenant-b")]);
    });
    await db.transaction((trx) => outbox.publish(trx, [happened("b2", "things/b"), happened("a4", "things/a")]));
    expect(await sequences(db, "things/a")).toEqual([
      [1, "a1"],
      [2, "a2"],
      [3, "a3"],
      [4, "a4"],
    ]);
    expect(await sequences(db, "things/b")).toEqual([
      [1, "b1"],
      [2, "b2"],
    ]);
    expect(await sequences(db, "things/a", "tenant-b")).toEqual([[1, "other tenant"]]);
  });

  test("publishes thousands of events at once, numbered in their order", async () => {
    await using db = await opened();
    const events = Array.from({ length: 1001 }, (_, i) => happened(String(i), `things/${i % 3}`));
    await db.transaction((trx) => outbox.publish(trx, events));
    for (const aggregate of [0, 1, 2]) {
      const expected = Array.from({ length: aggregate < 2 ? 334 : 333 }, (_, i) => [i + 1, String(3 * i + aggregate)]);
      expect(await sequences(db, `things/${aggregate}`)).toEqual(expected);
    }
  });

  test("keeps payloads and extensions to the byte", async () => {
    await using db = await opened();
    const data = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const extensions = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`, note: "quotes ' \" \\ and ünïcode" };
    const event = { tenant: "t", aggregate: "things/bytes", type: "docket.test.v1.Bytes", data, extensions };
    await db.transaction((trx) => outbox.publish(trx, [event]));
    const row = await db.kysely.selectFrom("outbox_messages").selectAll().executeTakeFirstOrThrow();
    expect(new Uint8Array(row.data)).toEqual(data);
    expect(JSON.parse(row.extensions ?? "")).toEqual(extensions);
    expect(row).toMatchObject({ source: "docket/test", type: "docket.test.v1.Bytes", sent_at: null });
  });

  test("leaves no gap when a transaction rolls back, and notifies no listener", async () => {
    await using db = await opened();
    const mine = createOutbox({ source: "docket/test", ids: createIds(systemClock), clock: systemClock });
    let committed = 0;
    mine.onCommitted(() => {
      committed += 1;
    });
    await db.transaction((trx) => mine.publish(trx, [happened("1", "things/a")]));
    await expect(
      db.transaction(async (trx) => {
        await mine.publish(trx, [happened("lost", "things/a")]);
        throw new Error("roll back");
      }),
    ).rejects.toThrow("roll back");
    await db.transaction((trx) => mine.publish(trx, [happened("2", "things/a")]));
    expect(await sequences(db, "things/a")).toEqual([
      [1, "1"],
      [2, "2"],
    ]);
    expect(committed).toBe(2);
  });

  test("numbers stay unique and without a gap when 40 transactions race for two aggregates, some rolling back", async () => {
    await using db = await opened();
    const attempts = Array.from({ length: 40 }, (_, nth) =>
      db.transaction(async (trx) => {
        const events = [happened(`${nth}`, "things/hot"), happened(`${nth}`, "things/warm")];
        await outbox.publish(trx, nth % 2 === 0 ? events : events.reverse());
        if (nth % 5 === 0) {
          throw new Error("roll back");
        }
      }),
    );
    const outcomes = await Promise.allSettled(attempts);
    const failures = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(failures.map((failure) => (failure.reason as Error).message)).toEqual(Array(8).fill("roll back"));
    for (const aggregate of ["things/hot", "things/warm"]) {
      const numbered = await sequences(db, aggregate);
      expect(numbered.map(([sequence]) => sequence)).toEqual(Array.from({ length: 32 }, (_, at) => at + 1));
    }
  });
});
