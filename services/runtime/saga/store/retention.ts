import { type RawBuilder, type SqlBool, sql } from "kysely";
import type { RetentionRule } from "../../retention/rule.ts";
import type { Clock } from "../../values/clock.ts";

/**
 * Retention of SUCCEEDED and COMPENSATED sagas with their steps. `isDone` is a condition on `sagas`: whether the saga
 * can no longer be compensated.
 */
export function sagaRetention(
  clock: Clock,
  keptMs: number,
  isDone: RawBuilder<SqlBool> = sql<SqlBool>`1 = 1`,
): RetentionRule {
  return {
    table: "sagas",
    age: "updated_at",
    keptMs,
    timedIds: { column: "id", clock },
    where: sql<SqlBool>`status in ('SUCCEEDED', 'COMPENSATED') and ${isDone}`,
  };
}
