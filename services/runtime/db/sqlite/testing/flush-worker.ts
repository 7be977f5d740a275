import fs from "node:fs";
import { sql } from "kysely";
import { openDatabase } from "../../connect.ts";

/**
 * A process that writes to a SQLite file and prints a line after each answer: `node flush-worker.ts <url> [fail]`. With
 * `fail` all flushes fail after the second answer.
 */
const [url = "", fail] = process.argv.slice(2);
const db = await openDatabase<{ entries: { n: number } }>({ url });
await sql`create table if not exists entries (n integer primary key, payload text)`.execute(db.kysely);
const insert = (n: number) => db.transaction((trx) => sql`insert into entries values (${n}, 'p')`.execute(trx));
const print = (line: string) => fs.writeSync(1, `${line}\n`);

await insert(0);
print("ready");
for (let n = 1; n <= 5; n++) {
  if (fail === "fail" && n === 3) {
    fs.fdatasync = ((_: number, done: fs.NoParamCallback) =>
      setImmediate(done, new Error("EIO: i/o error, fdatasync"))) as unknown as typeof fs.fdatasync;
  }
  await insert(n);
  print(`answered ${n}`);
}
for (let wave = 1; wave <= 3; wave++) {
  await Promise.all(Array.from({ length: 20 }, (_, n) => insert(100 * wave + n)));
  print(`answered wave ${wave}`);
  const writing = insert(100 * wave + 50);
  await sql`select max(n) from entries`.execute(db.kysely);
  await writing;
  print(`answered read ${wave}`);
}
process.kill(process.pid, "SIGKILL");
