import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "kysely";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { findProgram, type MariadbServer, startMariadb } from "../testing/mariadb.ts";
import { until } from "../testing/until.ts";
import { type Database, openDatabase } from "./connect.ts";
import { createReadPosition } from "./read-position.ts";

interface Tables {
  counters: { id: number; value: number };
}

const caller = "someone";
const logging = ["--log-bin=bin", "--binlog-format=ROW", "--log-slave-updates", "--gtid-strict-mode=ON"];

/** Reads after writes are counted: as many as `DOCKET_REPLICA_READS` says. */
// biome-ignore lint/style/noProcessEnv: how many reads is the caller's choice
const reads = Number(process.env["DOCKET_REPLICA_READS"] ?? 200);

(findProgram("mariadbd") ? describe : describe.skip)("a MariaDB replica", () => {
  let primary: MariadbServer;
  let replica: MariadbServer;
  let url: string;
  beforeAll(async () => {
    primary = (await startMariadb({ options: [...logging, "--server-id=1"] })) as MariadbServer;
    replica = (await startMariadb({ options: [...logging, "--server-id=2"] })) as MariadbServer;
    const { hostname, port } = new URL(primary.url);
    await onReplica(
      `change master to master_host='${hostname}', master_port=${port}, master_user='root', master_connect_retry=1,
        master_use_gtid=slave_pos`,
    );
    await onReplica("start slave");
    url = `${primary.url}shop?replica=${new URL(replica.url).host}`;
    await using db = await openDatabase<Tables>({ url });
    await sql`create table counters (id integer primary key, value integer not null)`.execute(db.kysely);
    await db.kysely.insertInto("counters").values({ id: 1, value: 0 }).execute();
  }, 120_000);
  afterAll(async () => {
    await replica[Symbol.asyncDispose]();
    await primary[Symbol.asyncDispose]();
  });

  const onReplica = async (statement: string) => {
    const connection = await createConnection(replica.url);
    try {
      return (await connection.query<RowDataPacket[]>(statement))[0];
    } finally {
      await connection.end();
    }
  };
  /** Increases the counter; returns its value. */
  const write = (db: Database<Tables>) =>
    db.transaction(async (trx) => {
      await trx.updateTable("counters").set({ value: sql`value + 1` }).where("id", "=", 1).execute();
      return (await trx.selectFrom("counters").select("value").executeTakeFirstOrThrow()).value;
    });
  /** The counter's value, and the server that had it. */
  const read = (db: Database<Tables>, after = "") =>
    db
      .reading({ caller, after })
      .selectFrom("counters")
      .select(["value", sql<number>`@@server_id`.as("server")])
      .where("id", "=", 1)
      .executeTakeFirstOrThrow();
  const untilOnReplica = (db: Database<Tables>) => until(async () => (await read(db)).server === 2);

  test(`has every write of this process in ${reads} reads after writes`, async () => {
    await using db = await openDatabase<Tables>({ url });
    await untilOnReplica(db);
    let onReplicaCount = 0;
    for (let round = 0; round < reads; round += 1) {
      const written = await write(db);
      const { value, server } = await read(db);
      expect(value).toBe(written);
      onReplicaCount += server === 2 ? 1 : 0;
    }
    expect(onReplicaCount).toBeGreaterThan(reads / 2);
  });

  test("that is held back is not read by those who know of a later write, and again when it has caught up", async () => {
    const position = createReadPosition();
    await using writer = await openDatabase<Tables>({ url, position });
    await using other = await openDatabase<Tables>({ url });
    await untilOnReplica(writer);
    await untilOnReplica(other);
    await onReplica("stop slave sql_thread");
    const written = await write(writer);
    const began = performance.now();
    expect(await read(writer)).toEqual({ value: written, server: 1 });
    expect(performance.now() - began).toBeLessThan(1_000);
    // Another process: stale without the writer's position, and current with it.
    expect(await read(other)).toEqual({ value: written - 1, server: 2 });
    expect(await read(other, position.current)).toEqual({ value: written, server: 1 });
    // Made up, it moves that caller's reads alone.
    expect((await read(other, "0-1-999999999")).server).toBe(1);
    expect((await read(other)).server).toBe(2);

    await onReplica("start slave sql_thread");
    await untilOnReplica(writer);
    expect(await read(other, position.current)).toEqual({ value: written, server: 2 });
  });

  test("half a second behind is never read stale", async () => {
    const position = createReadPosition();
    await using writer = await openDatabase<Tables>({ url, position });
    await using other = await openDatabase<Tables>({ url });
    await untilOnReplica(writer);
    let stopped = false;
    const holding = (async () => {
      while (!stopped) {
        await onReplica("stop slave sql_thread");
        await sleep(500);
        await onReplica("start slave sql_thread");
        await sleep(20);
      }
    })();
    const servers = new Set<number>();
    for (let round = 0; round < reads; round += 1) {
      const written = await write(writer);
      const [own, others] = await Promise.all([read(writer), read(other, position.current)]);
      expect([own.value, others.value]).toEqual([written, written]);
      servers.add(own.server).add(others.server);
    }
    stopped = true;
    await holding;
    expect(servers.has(1)).toBe(true);
  }, 300_000);

  test("that is away is noticed by no reader, and is read again after its return", async () => {
    await using db = await openDatabase<Tables>({ url });
    await untilOnReplica(db);
    await replica.kill();
    for (let round = 0; round < 10; round += 1) {
      expect(await read(db)).toEqual({ value: await current(db), server: 1 });
    }
    const written = await write(db);
    await replica.restart();
    await untilOnReplica(db);
    expect((await read(db)).value).toBe(written);
  });

  const current = async (db: Database<Tables>) =>
    (await db.kysely.selectFrom("counters").select("value").executeTakeFirstOrThrow()).value;
});
