import { expect, test } from "@jest/globals";
import type { Database } from "../db/connect.ts";
import { migrate } from "../db/migrate.ts";
import { pruneTable } from "../retention/prune.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { systemClock } from "../values/clock.ts";
import { idempotencyMigrations } from "./migrations.ts";
import { idempotencyRetention } from "./retention.ts";
import type { IdempotencyTables } from "./tables.ts";

/** A stored key, with its method and time. */
type Stored = readonly [requestId: string, method: string, createdAt: number];

async function store(db: Database<IdempotencyTables>, keys: readonly Stored[]): Promise<void> {
  const row = { tenant_id: "t", request_hash: "h", response: Buffer.from("r") };
  for (const [request_id, method, created_at] of keys) {
    await db.kysely
      .insertInto("idempotency_keys")
      .values({ ...row, request_id, method, created_at })
      .execute();
  }
}

const stored = (db: Database<IdempotencyTables>) =>
  db.kysely.selectFrom("idempotency_keys").select(["method", "request_id"]).orderBy("request_id").execute();

describeEachDatabase("idempotency keys", (open) => {
  test("of before they were unique over methods keep their first response", async () => {
    await using db = await open<IdempotencyTables>();
    const { "idempotency-0002b-key-of-one-method": later, ...first } = idempotencyMigrations;
    await migrate(db, first);
    await store(db, [
      ["k", "b", 2],
      ["k", "a", 3],
      ["k", "c", 1],
      ["l", "a", 9],
    ]);
    await migrate(db, idempotencyMigrations);
    expect(await stored(db)).toEqual([
      { method: "c", request_id: "k" },
      { method: "a", request_id: "l" },
    ]);
    expect(later).toBeDefined();
  });

  test("are deleted when their time is over, the oldest first", async () => {
    await using db = await open<IdempotencyTables>();
    await migrate(db, idempotencyMigrations);
    await store(
      db,
      Array.from({ length: 10 }, (_, i) => [`k${i}`, "m", 1000 + i] as const),
    );

    const clock = { ...systemClock, now: () => new Date(1007 + 500) };
    const rule = { ...idempotencyRetention(clock, 500), batch: 5 };
    expect([await pruneTable(db, rule), (await stored(db)).length]).toEqual([true, 5]);
    expect([await pruneTable(db, rule), (await stored(db)).length]).toEqual([false, 2]);

    expect((await stored(db)).map((it) => it.request_id)).toEqual(["k8", "k9"]);
  });
});
