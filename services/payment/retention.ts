import { callbackRetention } from "../runtime/callbacks/retention.ts";
import { outboxRetention } from "../runtime/outbox/retention.ts";
import { RETENTION_BATCH, type RetentionRule } from "../runtime/retention/retention.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { PaymentContext } from "./context.ts";
import { pruneOperationKeys } from "./store/operations.ts";

/** Retention periods of the payment service. Payments, refunds and the ledger are kept. */
export function paymentRetention({ db }: PaymentContext, kept: RetentionSettings): readonly RetentionRule[] {
  return [
    outboxRetention(db, kept.outboxMs),
    callbackRetention(db, kept.callbacksMs),
    {
      table: "payment_operations",
      keptMs: kept.idempotencyKeysMs,
      prune: async (keptMs) => (await pruneOperationKeys(db, keptMs, RETENTION_BATCH)) === RETENTION_BATCH,
    },
  ];
}
