import type { RetentionRule } from "../retention/rule.ts";

/** Retention of settled requests, each of which holds when it is deleted: its sender decides when it settles it. */
export const deliveryRetention: RetentionRule = { table: "callbacks", age: "prune_at", keptMs: 0 };
