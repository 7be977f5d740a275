import { inboxRetention } from "../runtime/inbox/retention.ts";
import type { RetentionRule } from "../runtime/retention/rule.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { OperationsContext } from "./context.ts";

/** How long the tables of the operations service are kept. API keys are kept forever. */
export function operationsRetention(
  ctx: OperationsContext,
  kept: RetentionSettings & { readonly auditMs: number },
): readonly RetentionRule[] {
  return [
    ...inboxRetention(ctx, kept),
    { table: "audit_events", age: "created_at", clock: ctx.clock, keptMs: kept.auditMs },
  ];
}
