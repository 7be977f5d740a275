import { callbackRetention } from "../runtime/callbacks/retention.ts";
import { idempotencyRetention } from "../runtime/idempotency/retention.ts";
import { outboxRetention } from "../runtime/outbox/retention.ts";
import type { RetentionRule } from "../runtime/retention/rule.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { LogisticsContext } from "./context.ts";

/** How long the tables of the logistics service are kept. Shipments are kept forever. */
export function logisticsRetention({ db, clock }: LogisticsContext, kept: RetentionSettings): readonly RetentionRule[] {
  return [
    outboxRetention(db, kept.outboxMs),
    idempotencyRetention(clock, kept.idempotencyKeysMs),
    callbackRetention(kept.callbacksMs),
  ];
}
