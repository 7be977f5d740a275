import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { epochMs, notNull, text } from "./columns.ts";
import type { Database, DialectName } from "./connect.ts";
import { nowMs } from "./sql.ts";

/**
 * One step forward of a schema. There are no steps back: code must run on the schema before it and after it.
 * On MariaDB and MySQL a statement of DDL commits by itself, so `up` must do the right thing when run again after it
 * failed midway: `ifNotExists()`, and `ensure` for what has no such thing.
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
 * Brings the schema up to date: runs what is not recorded in `schema_migrations`, in the order of the object's keys, and
 * returns their names. Any number of processes may call it at once; one works, the others wait for it. Migrations that
 * the database has and the caller does not know are left alone, so that an older process can start during a roll-out.
 * When one fails, those before it stay (SQLite: none), and the error names it.
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

/** Runs a statement of DDL that knows no IF NOT EXISTS on MySQL, such as CREATE INDEX, and is content when it was done before. */
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

/** Takes the server's named lock of this schema. A process that dies loses it with its connection. */
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

/** Makes tables to come compare as SQLite does, whatever the schema was created with. */
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
