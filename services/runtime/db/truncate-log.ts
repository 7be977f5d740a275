import { sql } from "kysely";
import type { Database } from "./connect.ts";

/**
 * Checkpoints SQLite's write-ahead log and empties it, so that it keeps no earlier content of a row. A concurrent read
 * defers this to the next call. A no-op on MariaDB and MySQL.
 */
export async function truncateLog<DB>({ kysely, dialect }: Database<DB>): Promise<void> {
  if (dialect === "sqlite") {
    await sql`pragma wal_checkpoint(truncate)`.execute(kysely);
  }
}
