import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { open as openFile, readFile, stat } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { describeSqlite, type OpenTestDatabase } from "../../testing/databases.ts";
import { findProgram } from "../../testing/mariadb.ts";
import { until } from "../../testing/until.ts";
import { openDatabase } from "../connect.ts";

interface Tables {
  entries: { n: number; payload: string };
}

const { fdatasync } = fs;

async function openEntries(open: OpenTestDatabase) {
  const db = await open<Tables>();
  await sql`create table entries (n integer primary key, payload text)`.execute(db.kysely);
  return db;
}

const insert = (db: Awaited<ReturnType<typeof openEntries>>, n: number, payload = "") =>
  db.transaction((trx) => trx.insertInto("entries").values({ n, payload }).execute());

/** Flushes wait until they are released, and at the end of the test. */
function holdFlushes() {
  const held: (() => void)[] = [];
  fs.fdatasync = ((fd: number, done: fs.NoParamCallback) => {
    held.push(() => fdatasync(fd, done));
  }) as typeof fs.fdatasync;
  const release = () => {
    for (const run of held.splice(0)) {
      run();
    }
  };
  return {
    held,
    release,
    [Symbol.dispose]() {
      fs.fdatasync = fdatasync;
      release();
    },
  };
}

async function run(program: string, args: readonly string[]) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { lines: output.split("\n").filter((line) => line !== ""), errors, code };
}

const worker = (url: string, ...args: string[]) => [
  "--disable-warning=ExperimentalWarning",
  new URL("./testing/flush-worker.ts", import.meta.url).pathname,
  url,
  ...args,
];

describeSqlite("the flush", (open) => {
  test("holds back what was written and what was read, but no transaction", async () => {
    await using db = await openEntries(open);
    using flushes = holdFlushes();
    const done: string[] = [];

    const first = insert(db, 1).then(() => done.push("first"));
    await until(() => flushes.held.length === 1);
    const second = insert(db, 2).then(() => done.push("second"));
    const third = insert(db, 3).then(() => done.push("third"));
    const read = db.kysely
      .selectFrom("entries")
      .select("n")
      .execute()
      .then((rows) => done.push(`read ${rows.map(({ n }) => n)}`));
    await until(async () => (await countBehindTheBack(db.url)) === 3);

    expect(done).toEqual([]);
    expect(flushes.held).toHaveLength(1);
    flushes.release();
    await until(() => flushes.held.length === 1 && done.length === 2);
    // The read began when the first was committed, so it needed no more than the first flush.
    expect(done.toSorted()).toEqual(["first", "read 1"]);
    flushes.release();
    await Promise.all([first, second, third, read]);
    expect(done.slice(2).toSorted()).toEqual(["second", "third"]);
    expect(flushes.held).toHaveLength(0);
  });

  test("holds back the refusal of a transaction that read what was not flushed", async () => {
    await using db = await openEntries(open);
    using flushes = holdFlushes();
    const first = insert(db, 1);
    await until(() => flushes.held.length === 1);

    let refused: unknown;
    const second = db
      .transaction(async (trx) => {
        const rows = await trx.selectFrom("entries").select("n").execute();
        throw new Error(`there are ${rows.length}`);
      })
      .catch((error) => {
        refused = error;
      });
    await new Promise((resolve) => setTimeout(resolve, 50));

    expect(refused).toBeUndefined();
    flushes.release();
    await first;
    await until(() => {
      flushes.release();
      return refused !== undefined;
    });
    await second;
    expect(refused).toEqual(new Error("there are 1"));
  });

  test("that fails ends the process, and nothing after it is answered", async () => {
    await using db = await open<Tables>();

    const { lines, errors, code } = await run(process.execPath, worker(db.url, "fail"));

    expect(lines).toEqual(["ready", "answered 1", "answered 2"]);
    expect(errors).toContain("to the disk failed: EIO: i/o error, fdatasync. The process ends");
    expect(code).toBe(1);
    await using again = await openDatabase<Tables>({ url: db.url });
    const rows = await again.kysely.selectFrom("entries").select("n").execute();
    expect(rows.map(({ n }) => n).slice(0, 3)).toEqual([0, 1, 2]);
  });

  const strace = findProgram("strace");
  const testWithStrace = strace === undefined ? test.skip : test;
  // Skipped where strace is not installed (Debian: apt-get install strace).
  testWithStrace("returned before each answer, and ran off the event loop, as strace sees it", async () => {
    await using db = await open<Tables>();
    const log = `${db.url.slice("sqlite:".length)}.strace`;
    const options = ["-f", "-y", "-s", "64", "-e", "trace=fsync,fdatasync,pwrite64,write", "-o", log];

    const { lines } = await run(strace ?? "", [...options, process.execPath, ...worker(db.url)]);

    expect(lines).toHaveLength(12);
    const answers = readTrace(await readFile(log, "utf8"));
    expect(answers.map(({ line }) => line)).toEqual(lines);
    expect(answers.filter(({ unflushedWrites }) => unflushedWrites > 0)).toEqual([]);
    expect(answers.filter(({ writes }) => writes === 0)).toEqual([]);
    expect(answers.slice(1).filter(({ flushesOnLoop }) => flushesOnLoop > 0)).toEqual([]);
  });
});

describeSqlite("checkpoints", (open) => {
  test("run beside the process's own work", async () => {
    await using db = await openEntries(open);
    const path = db.url.slice("sqlite:".length);
    const payload = "x".repeat(100_000);

    for (let n = 0; n < 200; n++) {
      await insert(db, n, payload);
    }

    await until(async () => (await stat(path)).size > 4 * 1024 * 1024);
    const { rows } = await sql<{ n: number }>`select count(*) as n from entries`.execute(db.kysely);
    expect(rows).toEqual([{ n: 200 }]);
  });

  test("let the log begin again although something always writes to it", async () => {
    await using db = await openEntries(open);
    const walPath = `${db.url.slice("sqlite:".length)}-wal`;
    const payload = "x".repeat(100_000);
    let n = 0;
    // Counts how often the log was begun: https://www.sqlite.org/fileformat.html#the_write_ahead_log
    const begun = async () => {
      const wal = await openFile(walPath);
      const { buffer } = await wal.read(Buffer.alloc(16), 0, 16, 0);
      await wal.close();
      return buffer.readUInt32BE(12);
    };
    const first = await begun();

    await until(async () => {
      await Promise.all(Array.from({ length: 8 }, () => insert(db, n++, payload)));
      return (await begun()) !== first;
    });

    // 4,000 pages, and what was written while the checkpoint ran.
    expect(n).toBeGreaterThan(100);
    expect(await db.kysely.selectFrom("entries").select("n").execute()).toHaveLength(n);
  });

  test("empty the log that a killed process left, when the file is opened", async () => {
    await using db = await open<Tables>();
    const walPath = `${db.url.slice("sqlite:".length)}-wal`;
    await db.kysely.destroy();
    await run(process.execPath, worker(db.url));
    const before = (await stat(walPath)).size;

    await using again = await openDatabase<Tables>({ url: db.url });

    expect(before).toBeGreaterThan(0);
    expect((await stat(walPath)).size).toBe(0);
    expect(await again.kysely.selectFrom("entries").select("n").execute()).toHaveLength(69);
  });
});

/** Counts through a connection that waits for no flush. */
async function countBehindTheBack(url: string): Promise<number> {
  const { DatabaseSync } = await import("node:sqlite");
  const file = new DatabaseSync(url.slice("sqlite:".length), { readOnly: true });
  const row = file.prepare("select count(*) as n from entries").get();
  file.close();
  return Number(row?.["n"]);
}

interface TracedAnswer {
  readonly line: string;
  /** Writes to the log since the last answer, and how many of them no flush covers that has returned. */
  readonly writes: number;
  readonly unflushedWrites: number;
  readonly flushesOnLoop: number;
}

/** Reads what `strace -f -y` wrote: which lines the process printed, and what had happened to its log before each. */
function readTrace(trace: string): TracedAnswer[] {
  const answers: TracedAnswer[] = [];
  const begun = new Map<string, number>();
  let main: string | undefined;
  let written: number[] = [];
  let writes = 0;
  let flushesOnLoop = 0;
  for (const [at, line] of trace.split("\n").entries()) {
    const [, thread = "", call = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    main ??= thread;
    if (/^pwrite64\(\d+<[^>]*-wal>/.test(call)) {
      written.push(at);
      writes += 1;
    } else if (/^f(data)?sync\(\d+<[^>]*-wal>/.test(call)) {
      begun.set(thread, at);
      flushesOnLoop += thread === main ? 1 : 0;
    }
    const began = begun.get(thread);
    if (began !== undefined && /sync(\(| resumed>).*= 0$/.test(call)) {
      written = written.filter((write) => write > began);
      begun.delete(thread);
    }
    const [, printed] = /^write\(1<[^>]*>, "(.*)\\n"/.exec(call) ?? [];
    if (printed !== undefined) {
      answers.push({ line: printed, writes, unflushedWrites: written.length, flushesOnLoop });
      writes = 0;
      flushesOnLoop = 0;
    }
  }
  return answers;
}
