import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { sql } from "kysely";
import { decodePageToken, encodePageToken } from "../api/page-token.ts";
import { describeEachDatabase, type OpenTestDatabase } from "../testing/databases.ts";
import { planOf } from "../testing/query-plan.ts";
import { bigint, type Integer64, id, notNull, text } from "./columns.ts";
import type { Database } from "./connect.ts";
import { afterRow, orderByKeys, type SortKey } from "./keyset.ts";
import { ensure, migrate } from "./migrate.ts";

interface Tables {
  things: { id: string; total: Integer64; name: string | null };
}

async function openThings(open: OpenTestDatabase) {
  const db = await open<Tables>();
  await migrate(db, {
    "0001": {
      async up({ schema }) {
        await schema
          .createTable("things")
          .addColumn("id", id, (column) => column.primaryKey())
          .addColumn("total", bigint, notNull)
          .addColumn("name", text(40))
          .execute();
      },
    },
  });
  return db;
}

type Directions = readonly ["asc" | "desc", "asc" | "desc", "asc" | "desc"];

/** All pages of a list sorted by total, name and id, by tokens, as a service would make them. */
async function readPages(db: Database<Tables>, directions: Directions, pageSize: number): Promise<string[][]> {
  const name = sql<string>`coalesce(name, '')`;
  const keys: SortKey[] = [
    { sql: sql.ref("total"), direction: directions[0] },
    { sql: name, direction: directions[1] },
    { sql: sql.ref("id"), direction: directions[2] },
  ];
  const query = ["ListThings", ...directions];
  const pages: string[][] = [];
  let token = "";
  do {
    const after = decodePageToken(token, query, ["integer", "text", "text"]);
    let select = db.kysely.selectFrom("things").select(["id", "total", name.as("name")]);
    if (after) {
      select = select.where(afterRow(keys, after));
    }
    const rows = await select
      .orderBy(orderByKeys(keys))
      .limit(pageSize + 1)
      .execute();
    const page = rows.slice(0, pageSize);
    pages.push(page.map((row) => row.id));
    const last = page.at(-1);
    token = last && rows.length > pageSize ? encodePageToken(query, [last.total, last.name, last.id]) : "";
  } while (token !== "");
  return pages;
}

const direction = fc.constantFrom("asc" as const, "desc" as const);
const thing = fc.record({
  total: fc.constantFrom<number | bigint>(0, 1, 2n ** 53n, 2n ** 53n + 1n),
  name: fc.constantFrom(null, "", "a", "A", "a ", "é"),
});

describeEachDatabase("pages", (open) => {
  test("hold every row once and in order, also where sort keys are equal across their ends", async () => {
    await using db = await openThings(open);
    const cases = fc.tuple(
      fc.array(thing, { minLength: 1, maxLength: 12 }),
      fc.tuple(direction, direction, direction),
      fc.integer({ min: 1, max: 5 }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([contents, directions, pageSize]) => {
        await db.kysely.deleteFrom("things").execute();
        await db.kysely
          .insertInto("things")
          .values(contents.map((it, i) => ({ ...it, id: `t${String(i).padStart(2, "0")}` })))
          .execute();

        const [whole = []] = await readPages(db, directions, 100);
        const pages = await readPages(db, directions, pageSize);

        expect(whole).toHaveLength(contents.length);
        expect(pages.flat()).toEqual(whole);
        expect(pages.slice(0, -1).every((page) => page.length === pageSize)).toBe(true);
        expect(pages.at(-1)).not.toEqual([]);
      }),
      { numRuns: 40 },
    );
  }, 30_000);

  test("go on in place when rows come and go between them", async () => {
    await using db = await openThings(open);
    const insert = (...ids: string[]) =>
      db.kysely
        .insertInto("things")
        .values(ids.map((it) => ({ id: it, total: 1 })))
        .execute();
    await insert("b", "d", "f");
    const keys: SortKey[] = [
      { sql: sql.ref("total"), direction: "asc" },
      { sql: sql.ref("id"), direction: "asc" },
    ];

    await insert("a", "e");
    await db.kysely.deleteFrom("things").where("id", "=", "d").execute();
    const rest = await db.kysely
      .selectFrom("things")
      .select("id")
      .where(afterRow(keys, [1, "d"]))
      .orderBy(orderByKeys(keys))
      .execute();

    expect(rest).toEqual([{ id: "e" }, { id: "f" }]);
  });

  test("are entered at their place through the index", async () => {
    await using db = await openThings(open);
    await ensure(db.kysely.schema.createIndex("things_total").on("things").columns(["total", "id"]));
    const contents = Array.from({ length: 2000 }, (_, i) => ({ id: `t${i}`, total: i % 50, name: "n" }));
    await db.kysely.insertInto("things").values(contents).execute();
    const keys: SortKey[] = [
      { sql: sql.ref("total"), direction: "desc" },
      { sql: sql.ref("id"), direction: "desc" },
    ];
    const page = db.kysely
      .selectFrom("things")
      .selectAll()
      .where(afterRow(keys, [25, "t5"]))
      .limit(51);

    expect(await planOf(db, page.orderBy(orderByKeys(keys)))).toEqual({ fullScans: [], sorts: false });
    expect(await planOf(db, page.orderBy("name"))).toMatchObject({ sorts: true });
    expect(await planOf(db, db.kysely.selectFrom("things").selectAll().where("name", "=", "x"))).toEqual({
      fullScans: ["things"],
      sorts: false,
    });
  });

  test("need a value for each sort key", () => {
    expect(() => afterRow([{ sql: sql.ref("id"), direction: "asc" }], [])).toThrow(RangeError);
  });
});
