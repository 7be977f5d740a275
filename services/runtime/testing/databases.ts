import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe } from "@jest/globals";
import { sql } from "kysely";
import { type Database, type DialectName, type OpenOptions, openDatabase } from "../db/connect.ts";
import { systemClock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";

/**
 * An empty database for one test. Disposing it closes and removes it; resources that the test leaves open are disposed
 * after it.
 */
export interface TestDatabase<DB> extends Database<DB> {
  /** Its URL, for opening it again with `openDatabase` or in another process. */
  readonly url: string;
}

export type OpenTestDatabase = <DB>(options?: Omit<OpenOptions, "url">) => Promise<TestDatabase<DB>>;

const ids = createIds(systemClock);

/**
 * Describes a suite once per database: on SQLite in a temporary file, and on MariaDB (or MySQL) at
 * `DOCKET_TEST_MYSQL_URL` in a schema of its own, where the suite is reported as skipped when there is no such server.
 *
 * ```ts
 * describeEachDatabase("the order store", (open) => {
 *   test("finds what was inserted", async () => {
 *     await using db = await open<OrderDatabase>();
 *     await migrate(db, migrations);
 * ```
 */
export function describeEachDatabase(
  name: string,
  suite: (open: OpenTestDatabase, dialect: DialectName) => void,
): void {
  describeSqlite(name, (open) => suite(open, "sqlite"));
  describeMariadb(name, (open) => suite(open, "mysql"));
}

/** For features of SQLite only; see {@link describeEachDatabase}. */
export function describeSqlite(name: string, suite: (open: OpenTestDatabase) => void): void {
  describe(`${name} on SQLite`, () => suite(opener(createSqlite)));
}

/** For features of a database server only; see {@link describeEachDatabase}. */
export function describeMariadb(name: string, suite: (open: OpenTestDatabase) => void): void {
  const server = process.env["DOCKET_TEST_MYSQL_URL"];
  const describeOrSkip = server ? describe : describe.skip;
  describeOrSkip(`${name} on MariaDB`, () => suite(opener(() => createSchema(server ?? ""))));
}

interface Place {
  url: string;
  remove(): Promise<void>;
}

function opener(createPlace: () => Promise<Place>): OpenTestDatabase {
  let opened = new AsyncDisposableStack();
  afterEach(async () => {
    await opened.disposeAsync();
    opened = new AsyncDisposableStack();
  });
  return async <DB>(options: Omit<OpenOptions, "url"> = {}) => {
    const place = await createPlace();
    const stack = opened.use(new AsyncDisposableStack());
    stack.defer(() => place.remove());
    const database = stack.use(await openDatabase<DB>({ ...options, url: place.url }));
    return { ...database, url: place.url, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  };
}

async function createSqlite(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "docket-test-"));
  return {
    url: `sqlite:${join(folder, "test.sqlite")}`,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function createSchema(server: string): Promise<Place> {
  const url = new URL(server);
  const schema = `docket_test_${ids.next()}`;
  url.pathname = `/${schema}`;
  return {
    url: url.href,
    async remove() {
      url.pathname = "/information_schema";
      await using database = await openDatabase<unknown>({ url: url.href, maxConnections: 1 });
      await sql`drop database if exists ${sql.id(schema)}`.execute(database.kysely);
    },
  };
}
