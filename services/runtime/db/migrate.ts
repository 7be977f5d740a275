import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { epochMs, notNull, text } from "./columns.ts";
import type { Database, DialectName } from "./connect.ts";
import { nowMs } from "./sql.ts";

/**
 * A forward schema migration. There are no down migrations: code must run on the schema before it and after it. On
 * MariaDB and MySQL a DDL statement commits implicitly, so `up` must be repeatable after a partial failure: use
 * `ifNotExists()`, and `ensure` for statements without it.
 */
export interface Migration {
  up(kysely: Kysely<unknown>, dialect: DialectName): Promise<void>;
}

interface MigrationTables {
  schema_migrations: { name: string; applied_at: number };
}

const LOCK_ATTEMPT_SECONDS = 10;
const LOCK_ATTEMPTS = 30;

/**
 * Migrates the schema: runs the migrations not recorded in `schema_migrations`, in the order of the object's keys, and
 * returns their names. Concurrent calls by several processes are safe: one migrates, the others wait. Recorded
 * migrations that the caller does not know are ignored, so that an older process can start during a roll-out.
 *
 * If one fails, the preceding ones stay applied (SQLite: none), and the error names it.
 */
export async function migrate<DB>(
  db: Database<DB>,
  migrations: Readonly<Record<string, Migration>>,
): Promise<readonly string[]> {
  if (db.dialect === "sqlite") {
    return db.transaction((trx) => applyMissing(withMigrationTables(trx), db.dialect, migrations));
  }
  return db.kysely.connection().execute(async (session) => {
    const kysely = withMigrationTables(session);
    const lock = await acquireLock(kysely);
    try {
      await useExactCollation(kysely);
      return await applyMissing(kysely, db.dialect, migrations);
    } finally {
      await sql`do release_lock(${lock})`.execute(kysely);
    }
  });
}

/** "Duplicate column name", "Duplicate key name", "Can't drop": https://mariadb.com/kb/en/mariadb-error-code-reference/ */
const DONE_ALREADY = new Set<unknown>([1060, 1061, 1091]);

/**
 * Runs a DDL statement that lacks IF NOT EXISTS on MySQL, such as CREATE INDEX, ignoring the error if it is applied
 * already.
 */
export async function ensure(statement: { execute(): Promise<void> }): Promise<void> {
  try {
    await statement.execute();
  } catch (error) {
    if (!(Error.isError(error) && "errno" in error && DONE_ALREADY.has(error.errno))) {
      throw error;
    }
  }
}

async function applyMissing(
  kysely: Kysely<MigrationTables>,
  dialect: DialectName,
  migrations: Readonly<Record<string, Migration>>,
): Promise<string[]> {
  await kysely.schema
    .createTable("schema_migrations")
    .ifNotExists()
    .addColumn("name", text(128), (column) => column.primaryKey())
    .addColumn("applied_at", epochMs, notNull)
    .execute();
  const rows = await kysely.selectFrom("schema_migrations").select("name").execute();
  const applied = new Set(rows.map((row) => row.name));
  const missing = Object.entries(migrations).filter(([name]) => !applied.has(name));
  for (const [name, migration] of missing) {
    try {
      await migration.up(kysely as unknown as Kysely<unknown>, dialect);
    } catch (error) {
      throw new Error(`migration ${name} failed`, { cause: error });
    }
    await kysely
      .insertInto("schema_migrations")
      .values({ name, applied_at: nowMs(dialect) })
      .execute();
  }
  return missing.map(([name]) => name);
}

/** Acquires the server's named lock of this schema. A crashed process releases it with its connection. */
async function acquireLock(kysely: Kysely<MigrationTables>): Promise<string> {
  const schema = await sql<{ name: string }>`select database() as name`.execute(kysely);
  const hash = createHash("sha256").update(schema.rows[0]?.name ?? "");
  const lock = `docket.migrate.${hash.digest("hex").slice(0, 32)}`;
  for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
    const answer = await sql<{
      taken: number | null;
    }>`select get_lock(${lock}, ${LOCK_ATTEMPT_SECONDS}) as taken`.execute(kysely);
    if (answer.rows[0]?.taken === 1) {
      return lock;
    }
  }
  throw new Error(`another process has been migrating for ${LOCK_ATTEMPTS * LOCK_ATTEMPT_SECONDS} seconds`);
}

/** Sets the default collation of new tables to compare as SQLite does, whatever the schema was created with. */
async function useExactCollation(kysely: Kysely<MigrationTables>): Promise<void> {
  const { rows } = await sql<{ wanted: string; actual: string }>`
    select @@collation_connection as wanted, @@collation_database as actual`.execute(kysely);
  for (const { wanted, actual } of rows) {
    if (wanted !== actual) {
      await sql`alter database character set utf8mb4 collate ${sql.raw(wanted)}`.execute(kysely);
    }
  }
}

function withMigrationTables<DB>(kysely: Kysely<DB>): Kysely<MigrationTables> {
  return kysely as unknown as Kysely<MigrationTables>;
}
