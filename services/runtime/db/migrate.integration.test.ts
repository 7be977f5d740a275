import { spawn } from "node:child_process";
import { once } from "node:events";
import { text as readAll } from "node:stream/consumers";
import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { describeEachDatabase, describeMariadb } from "../testing/databases.ts";
import { int, notNull, text } from "./columns.ts";
import { ensure, type Migration, migrate } from "./migrate.ts";

interface Tables {
  a: { id: string };
  b: { id: string };
}

const table = (name: string): Migration => ({
  async up({ schema }) {
    await schema
      .createTable(name)
      .addColumn("id", text(40), (column) => column.primaryKey())
      .execute();
  },
});

describeEachDatabase("migrate", (open, dialect) => {
  test("runs what is missing in order, once", async () => {
    await using db = await open<Tables>();

    expect(await migrate(db, { "0001": table("a") })).toEqual(["0001"]);
    expect(await migrate(db, { "0001": table("a"), "0002": table("b") })).toEqual(["0002"]);
    expect(await migrate(db, { "0001": table("a"), "0002": table("b") })).toEqual([]);

    await db.kysely.insertInto("b").values({ id: "x" }).execute();
  });

  test("leaves alone what a newer version of the service has done", async () => {
    await using db = await open<Tables>();
    await migrate(db, { "0001": table("a"), "0002": table("b") });

    expect(await migrate(db, { "0001": table("a") })).toEqual([]);
  });

  test("names the migration that failed, keeps those before it, and goes on from it the next time", async () => {
    await using db = await open<Tables>();
    const broken: Migration = {
      async up({ schema }) {
        await schema.createTable("b").ifNotExists().addColumn("id", text(40), notNull).execute();
        throw new Error("out of luck");
      },
    };
    const mended: Migration = {
      async up({ schema }) {
        await schema.createTable("b").ifNotExists().addColumn("id", text(40), notNull).execute();
        await ensure(schema.createIndex("b_id").on("b").column("id"));
        await ensure(schema.alterTable("b").addColumn("n", int));
      },
    };

    const failing = migrate(db, { "0001": table("a"), "0002": broken });
    await expect(failing).rejects.toMatchObject({ message: "migration 0002 failed", cause: new Error("out of luck") });

    const rest = await migrate(db, { "0001": table("a"), "0002": mended });
    expect(rest).toEqual(dialect === "sqlite" ? ["0001", "0002"] : ["0002"]);
  });

  test("lets one of several processes work while the others wait", async () => {
    await using db = await open<Tables>();

    const outputs = await Promise.all(Array.from({ length: 4 }, () => migrateInProcess(db.url)));

    expect(outputs.sort()).toEqual(["", "", "", "0001,0002"]);
    const { rows } = await sql<{ n: number }>`select count(*) as n from a`.execute(db.kysely);
    expect(rows).toEqual([{ n: 1 }]);
  }, 30_000);
});

describeMariadb("migrate", (open) => {
  test("repeats a change that was made but not recorded", async () => {
    await using db = await open<Tables>();
    const indexed: Migration = {
      async up({ schema }) {
        await schema.createTable("a").ifNotExists().addColumn("id", text(40), notNull).execute();
        await ensure(schema.createIndex("a_id").on("a").column("id"));
        await ensure(schema.alterTable("a").addColumn("n", int));
      },
    };
    await migrate(db, { "0001": indexed });
    await sql`delete from schema_migrations`.execute(db.kysely);

    expect(await migrate(db, { "0001": indexed })).toEqual(["0001"]);
  });

  test("makes tables compare by code point in a schema that was created otherwise", async () => {
    await using db = await open<Tables>();
    await sql`alter database character set latin1 collate latin1_swedish_ci`.execute(db.kysely);

    await migrate(db, { "0001": table("a") });
    await db.kysely
      .insertInto("a")
      .values([{ id: "x" }, { id: "X" }, { id: "x " }, { id: "😀" }])
      .execute();

    expect(await db.kysely.selectFrom("a").select("id").where("id", "=", "X").execute()).toEqual([{ id: "X" }]);
  });

  test("leaves its lock behind for the next, also after a failure", async () => {
    await using db = await open<Tables>();
    const failing: Migration = { up: () => Promise.reject(new Error("no")) };

    await expect(migrate(db, { "0001": failing })).rejects.toThrow();

    expect(await migrate(db, { "0001": table("a") })).toEqual(["0001"]);
  });
});

/** Runs two slow migrations in a process of its own; returns the names of those that it ran. */
async function migrateInProcess(url: string): Promise<string> {
  const script = `
    import { openDatabase } from ${JSON.stringify(import.meta.resolve("./connect.ts"))};
    import { migrate } from ${JSON.stringify(import.meta.resolve("./migrate.ts"))};
    import { sql } from "kysely";
    const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
    await using db = await openDatabase({ url: ${JSON.stringify(url)} });
    const done = await migrate(db, {
      "0001": { async up(kysely) { await sql\`create table a (id integer)\`.execute(kysely); await pause(); } },
      "0002": { async up(kysely) { await sql\`insert into a values (1)\`.execute(kysely); await pause(); } },
    });
    console.log(done.join());`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = await Promise.all([readAll(child.stdout), once(child, "exit")]);
  return output.trim();
}
