import { tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { RETENTION_BATCH, type RetentionRule } from "../retention/retention.ts";
import type { Clock } from "../values/clock.ts";
import type { IdempotencyTables } from "./tables.ts";

/** Retention of idempotency keys. */
export function idempotencyRetention<DB extends IdempotencyTables>(
  { db, clock }: { readonly db: Database<DB>; readonly clock: Clock },
  keptMs: number,
): RetentionRule {
  return {
    table: "idempotency_keys",
    keptMs,
    prune: async (keptMs) => {
      const createdBefore = new Date(clock.now().getTime() - keptMs);
      return (await deleteIdempotencyKeys(db, { createdBefore, limit: RETENTION_BATCH })) > 0;
    },
  };
}

/**
 * Deletes keys created before the time, oldest first and at most about `limit`. Returns the number deleted, zero if
 * none are left.
 */
export async function deleteIdempotencyKeys<DB extends IdempotencyTables>(
  db: Database<DB>,
  options: { createdBefore: Date; limit: number },
): Promise<number> {
  const kysely = tablesOf<IdempotencyTables>(db.kysely);
  const createdBefore = options.createdBefore.getTime();
  const last = await kysely
    .selectFrom("idempotency_keys")
    .select("created_at")
    .where("created_at", "<", createdBefore)
    .orderBy("created_at")
    .limit(1)
    .offset(options.limit - 1)
    .executeTakeFirst();
  const { numDeletedRows } = await kysely
    .deleteFrom("idempotency_keys")
    .where("created_at", last ? "<=" : "<", last?.created_at ?? createdBefore)
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}
