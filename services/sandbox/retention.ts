import type { RetentionRule } from "../runtime/retention/retention.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import { deliveryRetention } from "../runtime/webhooks/retention.ts";
import type { SandboxContext } from "./context.ts";
import { deleteParcels } from "./store/parcels.ts";
import { deleteSandboxPayments } from "./store/payments.ts";

/** Retention periods of the sandbox. */
export function sandboxRetention({ db, clock }: SandboxContext, kept: RetentionSettings): readonly RetentionRule[] {
  return [
    deliveryRetention(db, kept.deliveriesMs),
    { table: "payments", keptMs: kept.sandboxMs, prune: (keptMs) => deleteSandboxPayments(db, clock, keptMs) },
    { table: "parcels", keptMs: kept.sandboxMs, prune: (keptMs) => deleteParcels(db, clock, keptMs) },
  ];
}
