import type { RetentionRule } from "../retention/rule.ts";

/** Retention of received callbacks, whatever their state. */
export function callbackRetention(keptMs: number): RetentionRule {
  return { table: "inbound_callbacks", age: "received_at", keptMs };
}
