import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { epochMs, notNull, text } from "../db/columns.ts";
import type { Database } from "../db/connect.ts";
import { migrate } from "../db/migrate.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { firstIdAt } from "../values/ids.ts";
import { pruneTable } from "./prune.ts";
import { retentionJob } from "./retention.ts";
import type { RetentionRule } from "./rule.ts";

const log = createLogger({ level: "silent", name: "test" });

interface Tables {
  notes: { id: string; kind: string; written_at: number | null };
}

describeEachDatabase("retention", (open) => {
  const notes = async (rows: readonly Tables["notes"][] = []) => {
    const sent = createStatementLog();
    const db = await open<Tables>({ onStatement: sent.onStatement });
    await migrate(db, {
      notes: {
        async up({ schema }) {
          await schema
            .createTable("notes")
            .addColumn("id", text(64), notNull)
            .addColumn("kind", text(64), notNull)
            .addColumn("written_at", epochMs)
            .execute();
        },
      },
    });
    if (rows.length > 0) {
      await db.kysely.insertInto("notes").values(rows).execute();
    }
    sent.clear();
    return { db, sent };
  };
  const left = async (db: Database<Tables>) =>
    (await db.kysely.selectFrom("notes").select("id").orderBy("id").execute()).map(({ id }) => id);
  const byAge: RetentionRule = { table: "notes", age: "written_at", keptMs: 60_000 };
  const now = Date.now();
  const note = (id: string, written_at: number | null, kind = "") => ({ id, kind, written_at });

  test("deletes the oldest rows, a batch at a time, and keeps those that are new or have no time", async () => {
    const { db } = await notes([note("a", 3), note("b", 1), note("c", 2), note("new", now), note("none", null)]);
    const rule = { ...byAge, batch: 2 };
    expect(await pruneTable(db, rule)).toBe(true);
    expect(await left(db)).toEqual(["a", "new", "none"]);
    expect(await pruneTable(db, rule)).toBe(false);
    expect(await left(db)).toEqual(["new", "none"]);
  });

  test("keeps rows that do not meet the further condition", async () => {
    const { db } = await notes([note("a", 1, "draft"), note("b", 2, "final"), note("c", 3, "draft")]);
    const rule = { ...byAge, batch: 2, where: sql<boolean>`kind = 'draft'` };
    expect(await pruneTable(db, rule)).toBe(true);
    expect(await pruneTable(db, rule)).toBe(false);
    expect(await left(db)).toEqual(["b"]);
  });

  test("goes by the clock of the service where that wrote the age", async () => {
    const { db } = await notes([note("a", 1_000), note("b", 1_001)]);
    const clock = { ...systemClock, now: () => new Date(61_000) };
    await pruneTable(db, { ...byAge, clock });
    expect(await left(db)).toEqual(["b"]);
  });

  test("reads no row whose id is too new, but deletes only by age", async () => {
    const old = firstIdAt(now - 120_000);
    const { db, sent } = await notes([note(`x_${old}1`, 1), note(`x_${old}2`, now), note(`x_${firstIdAt(now)}3`, 1)]);
    const timedIds = { column: "id", prefix: "x_", clock: systemClock };
    expect(await pruneTable(db, { ...byAge, timedIds })).toBe(false);
    expect(
      sent.statements.map(({ sql }) => sql.replace(/[`"]/g, "")).filter((sql) => /\bid < \?/.test(sql)),
    ).toHaveLength(1);
    expect(await left(db)).toEqual([`x_${old}2`, `x_${firstIdAt(now)}3`]);
  });

  test("settles rows in place of deleting them, where the rule says so", async () => {
    const { db } = await notes([note("a", 1), note("b", 2), note("c", now)]);
    const settled: unknown[] = [];
    const instead = {
      key: ["id", "kind"],
      async settle(rows: readonly { id: string }[]) {
        settled.push(...rows);
        await db.kysely
          .updateTable("notes")
          .set({ written_at: null })
          .where(
            "id",
            "in",
            rows.map(({ id }) => id),
          )
          .execute();
      },
    };
    expect(await pruneTable(db, { ...byAge, batch: 2, instead })).toBe(true);
    expect(await pruneTable(db, { ...byAge, batch: 2, instead })).toBe(false);
    expect(settled).toEqual([note("a", 1), note("b", 2)].map(({ id, kind }) => ({ id, kind })));
    expect(await left(db)).toEqual(["a", "b", "c"]);
  });

  test("prunes each table by its own rule, part by part, and one that fails holds up no other", async () => {
    const { db } = await notes([note("a", 1), note("b", 2), note("c", 3)]);
    const pruned: string[] = [];
    const rules: RetentionRule[] = [
      { ...byAge, table: "missing" },
      { ...byAge, table: "broken", prune: () => Promise.reject(new Error("locked")) },
      { ...byAge, table: "kept for ever", keptMs: undefined, prune: async () => pruned.push("for ever") > 0 },
      { ...byAge, table: "large", prune: async (keptMs) => pruned.push(`large ${keptMs}`) < 3 },
      { ...byAge, batch: 1 },
    ];
    await using job = retentionJob({ db, rules, log, everyMs: 1 }).work;
    job.start();
    await until(async () => (await left(db)).length === 0);
    expect(pruned.slice(0, 3)).toEqual(["large 60000", "large 60000", "large 60000"]);
    expect(pruned).not.toContain("for ever");
  });
});
