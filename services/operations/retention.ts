import { inboxRetention } from "../runtime/inbox/retention.ts";
import type { RetentionRule } from "../runtime/retention/retention.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { OperationsContext } from "./context.ts";
import { auditRetention } from "./store/audit-events.ts";

/** Retention periods of the operations service. API keys are kept. */
export function operationsRetention(
  ctx: OperationsContext,
  kept: RetentionSettings & { readonly auditMs: number },
): readonly RetentionRule[] {
  return [...inboxRetention(ctx, kept), auditRetention(ctx, kept.auditMs)];
}
