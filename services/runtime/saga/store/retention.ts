import { type RawBuilder, type SqlBool, sql } from "kysely";
import { tablesOf } from "../../db/any-transaction.ts";
import type { Database } from "../../db/connect.ts";
import { nowMs } from "../../db/sql.ts";
import { RETENTION_BATCH, type RetentionRule } from "../../retention/retention.ts";
import type { Clock } from "../../values/clock.ts";
import { firstIdAt } from "../../values/ids.ts";
import type { SagaTables } from "./tables.ts";

/**
 * Retention of SUCCEEDED and COMPENSATED sagas with their steps. `isDone` is a condition on `sagas`: whether the saga
 * can no longer be compensated.
 */
export function sagaRetention<DB extends SagaTables>(
  { db, clock }: { readonly db: Database<DB>; readonly clock: Clock },
  keptMs: number,
  isDone: RawBuilder<SqlBool> = sql<SqlBool>`1 = 1`,
): RetentionRule {
  const tables = tablesOf<SagaTables>(db.kysely);
  return {
    table: "sagas",
    keptMs,
    async prune(keptMs) {
      const old = await tables
        .selectFrom("sagas")
        .select("id")
        // Ids begin with their time, so recent rows are not even scanned.
        .where("id", "<", firstIdAt(clock.now().getTime() - keptMs))
        .where("status", "in", ["SUCCEEDED", "COMPENSATED"])
        .where((row) => row("updated_at", "<", row(nowMs(db.dialect), "-", keptMs)))
        .where(isDone)
        .orderBy("id")
        .limit(RETENTION_BATCH)
        .execute();
      if (old.length > 0) {
        await tables
          .deleteFrom("sagas")
          .where(
            "id",
            "in",
            old.map(({ id }) => id),
          )
          .where("status", "in", ["SUCCEEDED", "COMPENSATED"])
          .execute();
      }
      return old.length === RETENTION_BATCH;
    },
  };
}
