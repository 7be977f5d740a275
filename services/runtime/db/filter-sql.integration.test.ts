import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { sql } from "kysely";
import { describeEachDatabase, type OpenTestDatabase } from "../testing/databases.ts";
import { createFilterMatcher, type MatchFilterField } from "../testing/filter-matcher.ts";
import { bigint, epochMs, flag, id, json, notNull, text } from "./columns.ts";
import type { DialectName } from "./connect.ts";
import { compileFilter, type SqlFilterField } from "./filter-sql.ts";
import { migrate } from "./migrate.ts";
import { jsonText } from "./sql.ts";

interface Row {
  id: string;
  name: string | null;
  state: string;
  stock: number | null;
  open: 0 | 1;
  at: number;
  labels: Record<string, string>;
  skus: string[];
}

interface Tables {
  things: Omit<Row, "labels" | "skus"> & { labels: string };
  parts: { thing_id: string; sku: string };
}

const STATES = { NEW: "new", DONE: "done" };

const inMemory: Record<string, MatchFilterField<Row>> = {
  name: { type: "string", get: (row) => row.name ?? undefined },
  state: { type: "enum", values: STATES, get: (row) => row.state },
  stock: { type: "int", get: (row) => row.stock ?? undefined },
  open: { type: "bool", get: (row) => row.open },
  at: { type: "timestamp", get: (row) => row.at },
  labels: { type: "map", get: (row, key) => (Object.hasOwn(row.labels, key) ? row.labels[key] : undefined) },
  sku: { type: "string", repeated: true, get: (row) => row.skus },
};

const inSql = (dialect: DialectName): Record<string, SqlFilterField> => ({
  name: { type: "string", sql: sql.ref("things.name") },
  state: { type: "enum", values: STATES, sql: sql.ref("things.state") },
  stock: { type: "int", sql: sql.ref("things.stock") },
  open: { type: "bool", sql: sql.ref("things.open") },
  at: { type: "timestamp", sql: sql.ref("things.at") },
  labels: { type: "map", sql: (key) => jsonText(dialect, sql.ref<string>("things.labels"), key) },
  sku: {
    type: "string",
    repeated: true,
    sql: sql.ref("parts.sku"),
    exists: (condition) => sql`exists (select 1 from parts where parts.thing_id = things.id and ${condition})`,
  },
});

async function openThings(open: OpenTestDatabase) {
  const db = await open<Tables>();
  await migrate(db, {
    "0001": {
      async up({ schema }) {
        await schema
          .createTable("things")
          .addColumn("id", id, (column) => column.primaryKey())
          .addColumn("name", text(40))
          .addColumn("state", text(10), notNull)
          .addColumn("stock", bigint)
          .addColumn("open", flag, notNull)
          .addColumn("at", epochMs, notNull)
          .addColumn("labels", json, notNull)
          .execute();
        await schema
          .createTable("parts")
          .addColumn("thing_id", id, notNull)
          .addColumn("sku", text(40), notNull)
          .execute();
      },
    },
  });
  return db;
}

/** Few different characters, so that rows and filters meet; among them all that are special somewhere. */
const character = fc.constantFrom(..."aAb é😀%_!*?[]^-\\'\"$. ");
const word = fc.array(character, { maxLength: 4 }).map((it) => it.join(""));
const key = fc.constantFrom("a", "b.c", "odd key", 'q"', "");
const time = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 0, 1) + 5 });

const row: fc.Arbitrary<Omit<Row, "id">> = fc.record({
  name: fc.option(word),
  state: fc.constantFrom("new", "done"),
  stock: fc.option(fc.integer({ min: -3, max: 3 })),
  open: fc.constantFrom(0 as const, 1 as const),
  at: time,
  labels: fc.dictionary(key, word, { maxKeys: 3 }),
  skus: fc.array(word, { maxLength: 3 }),
});

const literal = (it: string) => `"${it.replace(/[\\"*]/g, "\\$&")}"`;
const textValue = fc.oneof(
  word.map(literal),
  fc
    .array(word, { minLength: 2, maxLength: 3 })
    .map((parts) => `"${parts.map((it) => literal(it).slice(1, -1)).join("*")}"`),
);
const order = fc.constantFrom("=", "!=", "<", "<=", ">", ">=", ":");
const equality = fc.constantFrom("=", "!=", ":");
const restrict = (field: fc.Arbitrary<string>, comparator: fc.Arbitrary<string>, value: fc.Arbitrary<string>) =>
  fc.tuple(field, comparator, value).map((it) => it.join(" "));
const fieldOrLabel = fc.oneof(
  fc.constantFrom("name", "sku"),
  key.map((it) => `labels.${literal(it)}`),
);

const leaf = fc.oneof(
  restrict(fieldOrLabel, equality, textValue),
  restrict(fieldOrLabel, order, word.map(literal)),
  restrict(fc.constant("state"), equality, fc.constantFrom("NEW", "DONE")),
  restrict(fc.constant("open"), equality, fc.constantFrom("true", "false")),
  restrict(fc.constant("stock"), order, fc.constantFrom("-2", "-0.5", "0", "1.5", "9223372036854775807")),
  restrict(
    fc.constant("at"),
    order,
    fc.tuple(time, fc.constantFrom("", "500")).map(([ms, rest]) => new Date(ms).toISOString().replace("Z", `${rest}Z`)),
  ),
  fc.constantFrom("name:*", "stock:*", "sku:*", "labels.a:*", "labels:a"),
  restrict(fc.constant("labels"), fc.constant(":"), key.filter((it) => it !== "").map(literal)),
);
const { filter } = fc.letrec<{ filter: string }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.tuple(tie("filter"), fc.constantFrom("AND", "OR"), tie("filter")).map(([a, op, b]) => `(${a}) ${op} (${b})`),
    tie("filter").map((it) => `NOT (${it})`),
  ),
}));

describeEachDatabase("a filter", (open, dialect) => {
  test("finds in the database what it finds in memory", async () => {
    await using db = await openThings(open);
    const cases = fc.tuple(
      fc.array(row, { minLength: 1, maxLength: 8 }),
      fc.array(filter, { minLength: 20, maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([contents, filters]) => {
        const rows = contents.map((it, i) => ({ ...it, id: `t${i}` }));
        await db.kysely.deleteFrom("things").execute();
        await db.kysely.deleteFrom("parts").execute();
        const things = rows.map(({ skus: _, ...rest }) => ({ ...rest, labels: JSON.stringify(rest.labels) }));
        await db.kysely.insertInto("things").values(things).execute();
        const parts = rows.flatMap((it) => it.skus.map((sku) => ({ thing_id: it.id, sku })));
        if (parts.length > 0) {
          await db.kysely.insertInto("parts").values(parts).execute();
        }
        for (const text of filters) {
          const condition = compileFilter(text, inSql(dialect), dialect) ?? sql<boolean>`1 = 1`;
          const found = await db.kysely.selectFrom("things").select("id").where(condition).orderBy("id").execute();
          const expected = rows.filter(createFilterMatcher(text, inMemory)).map((it) => it.id);
          expect([text, found.map((it) => it.id)]).toEqual([text, expected]);
        }
      }),
      { numRuns: 40 },
    );
  }, 30_000);

  test("that is blank is no condition", () => {
    expect(compileFilter("  ", inSql(dialect), dialect)).toBeUndefined();
  });

  test("that is wrong is refused before anything is asked", () => {
    expect(() => compileFilter("colour = red", inSql(dialect), dialect)).toThrow("unknown field colour");
  });
});
