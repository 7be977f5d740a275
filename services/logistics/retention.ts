import { callbackRetention } from "../runtime/callbacks/retention.ts";
import { idempotencyRetention } from "../runtime/idempotency/retention.ts";
import { outboxRetention } from "../runtime/outbox/retention.ts";
import type { RetentionRule } from "../runtime/retention/retention.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { LogisticsContext } from "./context.ts";

/** Retention periods of the logistics service. Shipments are kept. */
export function logisticsRetention(ctx: LogisticsContext, kept: RetentionSettings): readonly RetentionRule[] {
  return [
    outboxRetention(ctx.db, kept.outboxMs),
    idempotencyRetention(ctx, kept.idempotencyKeysMs),
    callbackRetention(ctx.db, kept.callbacksMs),
  ];
}
