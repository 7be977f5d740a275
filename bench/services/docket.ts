import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { INSTALL_HINT, startMariadb } from "../../services/runtime/testing/mariadb.ts";
import { type Child, startChild } from "../support/child.ts";

export const storages = ["sqlite", "mariadb"] as const;
export type Storage = (typeof storages)[number];

/** Resource usage since the server's start. */
export interface Usage {
  /** CPU time of the server's process, user and system. */
  readonly cpuMicros: number;
  /** CPU time of the database server's process, if it is private. */
  readonly databaseCpuMicros: number;
  readonly statements: number;
  readonly commits: number;
  readonly rssBytes: number;
}

interface Ready {
  readonly httpUrl: string;
  readonly grpcAddress: string;
  readonly adminKey: string;
}

/** A whole Docket in a process of its own, on an empty database that is removed with it. */
export interface BenchDocket extends Ready, AsyncDisposable {
  readonly storage: Storage;
  /** The database, with its version and the durability of a commit. */
  readonly database: string;
  usage(): Promise<Usage>;
  /** Number and total duration of each kind of statement since the last call; see docket-server.ts. */
  kinds(): Promise<Readonly<Record<string, readonly [count: number, ms: number]>>>;
  /** Resolves when the server has been idle for a while, so that all work has ended. */
  untilQuiet(): Promise<void>;
  /** Database URL of a service, for direct writes. */
  databaseUrl(service: string): string;
}

/** Storage of databases until it is disposed. */
export interface Place extends AsyncDisposable {
  /** The database, with its version and the durability of a commit. */
  readonly database: string;
  readonly environment: Record<string, string>;
  databaseCpuMicros(): Promise<number>;
  databaseUrl(service: string): string;
}

/**
 * Starts one on this storage. MariaDB is the server of `DOCKET_TEST_MYSQL_URL`, else a private one that flushes each
 * commit.
 */
export async function startDocket(storage: Storage, environment: Record<string, string> = {}): Promise<BenchDocket> {
  const place = await createPlace(storage);
  const server: Child<Ready> = await startChild(new URL("./docket-server.ts", import.meta.url), [], {
    DOCKET_HTTP_PORT: "0",
    DOCKET_GRPC_PORT: "0",
    DOCKET_OPS_PORT: "0",
    DOCKET_DRAIN_BUDGET: "5s",
    ...place.environment,
    ...environment,
  });
  const usage = async () => {
    const counted = await server.ask<Omit<Usage, "databaseCpuMicros">>("usage");
    return { ...counted, databaseCpuMicros: await place.databaseCpuMicros() };
  };
  return {
    ...server.ready,
    storage,
    database: place.database,
    databaseUrl: place.databaseUrl,
    usage,
    kinds: () => server.ask("kinds"),
    async untilQuiet() {
      for (let quiet = 0; quiet < 2; ) {
        const before = await usage();
        await sleep(150);
        const { cpuMicros } = await usage();
        quiet = cpuMicros - before.cpuMicros < 30_000 ? quiet + 1 : 0;
      }
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}

/**
 * Creates empty storage: a folder, or schemas on the MariaDB of `DOCKET_TEST_MYSQL_URL`, else on a private one that
 * flushes each commit.
 */
export function createPlace(storage: Storage): Promise<Place> {
  return storage === "sqlite" ? createFolder() : createSchemas();
}

async function createFolder(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "docket-bench-"));
  const { DatabaseSync } = await import("node:sqlite");
  const [version] = new DatabaseSync(":memory:").prepare("select sqlite_version() as v").all();
  return {
    database: `SQLite ${version?.["v"]}, fdatasync before each acknowledgement`,
    environment: { DOCKET_DATA_DIR: folder },
    databaseCpuMicros: async () => 0,
    databaseUrl: (service) => `sqlite:${join(folder, `${service}.sqlite`)}`,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function createSchemas(): Promise<Place> {
  const folder = await createFolder();
  const given = process.env["DOCKET_TEST_MYSQL_URL"];
  const own = given === undefined ? await startMariadb({ durable: true }) : undefined;
  const server = given ?? own?.url;
  if (server === undefined) {
    throw new Error(INSTALL_HINT);
  }
  const url = new URL(server);
  const prefix = `bench_${Date.now().toString(36)}`;
  url.pathname = `/${prefix}`;
  const [row] = await inServer<{ version: string; flush: number }>(
    server,
    "select version() as version, @@innodb_flush_log_at_trx_commit as flush",
  );
  return {
    database: `${row?.version}, innodb_flush_log_at_trx_commit=${row?.flush}`,
    environment: { ...folder.environment, DOCKET_DATABASE_URL: url.href },
    databaseUrl: (service) => `${url.href}_${service}`,
    databaseCpuMicros: async () => (own === undefined ? 0 : processCpuMicros(own.pid)),
    async [Symbol.asyncDispose]() {
      await folder[Symbol.asyncDispose]();
      if (own === undefined) {
        const named = `select schema_name as name from information_schema.schemata where schema_name like '${prefix}%'`;
        for (const { name } of await inServer<{ name: string }>(server, named)) {
          await inServer(server, `drop database \`${name}\``);
        }
      }
      await own?.[Symbol.asyncDispose]();
    },
  };
}

async function inServer<Row>(server: string, statement: string): Promise<readonly Row[]> {
  const url = new URL(server);
  url.pathname = "/";
  const connection = await createConnection(url.href);
  const [rows] = await connection.query(statement);
  await connection.end();
  return rows as Row[];
}

/** User and system time of any process, from Linux' /proc in ticks of 10 ms; 0 on other systems. */
async function processCpuMicros(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10_000;
}
