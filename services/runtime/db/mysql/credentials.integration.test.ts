import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { createLive } from "../../config/live.ts";
import { describeMariadb } from "../../testing/databases.ts";
import { openDatabase } from "../connect.ts";

describeMariadb("the password of a database's user", (open) => {
  test("changes without reopening the database: new connections use the new one", async () => {
    await using admin = await open<Record<string, never>>();
    const user = `rotated_${Math.random().toString(36).slice(2, 8)}`;
    const run = (text: string) => sql.raw(text).execute(admin.kysely);
    await run(`create user ${user} identified by 'first'`);
    try {
      await run(`grant all on *.* to ${user}`);
      const url = new URL(admin.url);
      url.username = user;
      url.password = "first";
      const credentials = createLive({ user, password: "first" });
      await using db = await openDatabase<Record<string, never>>({ url: url.href, credentials, maxConnections: 4 });
      const select = () => sql<{ id: number }>`select connection_id() as id`.execute(db.kysely);
      const parallel = () => Promise.all(Array.from({ length: 4 }, () => sql`select sleep(0.1)`.execute(db.kysely)));
      await select();

      await run(`alter user ${user} identified by 'second'`);
      // The connection that is open stays; further ones have the wrong password.
      await select();
      await expect(parallel()).rejects.toMatchObject({ code: "ER_ACCESS_DENIED_ERROR" });
      credentials.set({ user, password: "second" });
      await parallel();
    } finally {
      await run(`drop user ${user}`);
    }
  });
});
