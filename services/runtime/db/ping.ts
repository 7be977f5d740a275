import { type Kysely, sql } from "kysely";

/** Whether the database answers. */
export async function ping<DB>(db: Kysely<DB>): Promise<void> {
  await sql`select 1`.execute(db);
}
