import { type Kysely, sql } from "kysely";

/** Checks that the database responds. */
export async function ping<DB>(db: Kysely<DB>): Promise<void> {
  await sql`select 1`.execute(db);
}
