import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { openDatabase } from "../db/connect.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase, type OpenTestDatabase } from "../testing/databases.ts";
import { until } from "../testing/until.ts";
import { type Claimed, claimDue, type DueColumns, releaseClaims } from "./claim-due.ts";
import { createWorkLoop } from "./work-loop.ts";

interface Tables {
  chores: DueColumns;
}

const log = createLogger({ level: "silent", name: "test" });
const leaseMs = 3_600_000;

async function withChores(open: OpenTestDatabase) {
  const db = await open<Tables>();
  await sql`create table chores (id varchar(8) primary key, due_at bigint, attempt integer not null)`.execute(
    db.kysely,
  );
  await db.kysely
    .insertInto("chores")
    .values(["a", "b", "c"].map((id) => ({ id, due_at: 1, attempt: 0 })))
    .execute();
  return db;
}

describeEachDatabase("claims", (open) => {
  test("of a process that drains are handed back if their work does not end, and taken by another at once", async () => {
    await using db = await withChores(open);
    await using other = await openDatabase<Tables>({ url: db.url });
    const done: string[] = [];
    const loopOn = (on: typeof other, name: string, work: (claim: Claimed, signal: AbortSignal) => Promise<void>) =>
      createWorkLoop<Claimed>({
        name,
        log,
        pollMs: 20,
        concurrency: 2,
        drainMs: 50,
        claim: (limit) => claimDue(on, "chores", { limit, leaseMs }),
        release: (claims) => releaseClaims(on, "chores", claims),
        work,
      });
    const aborted: string[] = [];
    await using leaving = loopOn(db, "leaving", ({ id }, signal) => {
      signal.addEventListener("abort", () => aborted.push(id));
      return new Promise(() => {});
    });
    leaving.start();
    await until(() => leaving.room() === 0);
    await leaving.drain();
    expect(aborted.toSorted()).toEqual(["a", "b"]);

    await using next = loopOn(other, "next", async ({ id, attempt }) => {
      done.push(`${id} ${attempt}`);
      await other.kysely
        .updateTable("chores")
        .set({ due_at: null })
        .where("id", "=", id)
        .where("attempt", "=", attempt)
        .execute();
    });
    next.start();
    await until(() => done.length === 3, 10_000);
    expect(done.toSorted()).toEqual(["a 2", "b 2", "c 1"]);
  });

  test("that were settled or claimed again meanwhile are not handed back", async () => {
    await using db = await withChores(open);
    const claims = await claimDue(db, "chores", { limit: 3, leaseMs });
    await db.kysely.updateTable("chores").set({ due_at: null }).where("id", "=", "a").execute();
    await db.kysely.updateTable("chores").set({ attempt: 2 }).where("id", "=", "b").execute();
    await releaseClaims(db, "chores", claims);
    expect((await claimDue(db, "chores", { limit: 3, leaseMs })).map(({ id }) => id)).toEqual(["c"]);
  });
});
