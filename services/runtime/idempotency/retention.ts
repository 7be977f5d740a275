import type { RetentionRule } from "../retention/rule.ts";
import type { Clock } from "../values/clock.ts";

/** Retention of idempotency keys. */
export function idempotencyRetention(clock: Clock, keptMs: number): RetentionRule {
  return { table: "idempotency_keys", age: "created_at", clock, keptMs };
}
