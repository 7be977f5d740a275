import { idempotencyRetention } from "../runtime/idempotency/retention.ts";
import { inboxRetention } from "../runtime/inbox/retention.ts";
import { outboxRetention } from "../runtime/outbox/retention.ts";
import type { RetentionRule } from "../runtime/retention/rule.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { InventoryContext } from "./context.ts";

/** How long the tables of the inventory service are kept. Items, reservations and the stock ledger are kept forever. */
export function inventoryRetention(
  { db, clock }: InventoryContext,
  ids: Ids,
  kept: RetentionSettings,
): readonly RetentionRule[] {
  return [
    outboxRetention(db, kept.outboxMs),
    ...inboxRetention({ db, clock, ids }, kept),
    idempotencyRetention(clock, kept.idempotencyKeysMs),
  ];
}
