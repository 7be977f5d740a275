import { sql } from "kysely";
import type { Database } from "./connect.ts";

/**
 * Writes SQLite's write-ahead log back into its file and empties it, so that no earlier content of a row stays in it. A read
 * that is at work at this moment keeps the log until the next time. Nothing to do on MariaDB and MySQL.
 */
export async function truncateLog<DB>({ kysely, dialect }: Database<DB>): Promise<void> {
  if (dialect === "sqlite") {
    await sql`pragma wal_checkpoint(truncate)`.execute(kysely);
  }
}
