import { callbackRetention } from "../runtime/callbacks/retention.ts";
import { outboxRetention } from "../runtime/outbox/retention.ts";
import type { RetentionRule } from "../runtime/retention/rule.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { PaymentContext } from "./context.ts";
import { operationKeyRetention } from "./store/operations.ts";

/** How long the tables of the payment service are kept. Payments, refunds and the ledger are kept forever. */
export function paymentRetention({ db }: PaymentContext, kept: RetentionSettings): readonly RetentionRule[] {
  return [
    outboxRetention(db, kept.outboxMs),
    callbackRetention(kept.callbacksMs),
    operationKeyRetention(db, kept.idempotencyKeysMs),
  ];
}
