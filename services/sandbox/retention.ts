import type { RetentionRule } from "../runtime/retention/rule.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import { deliveryRetention } from "../runtime/webhooks/retention.ts";
import type { SandboxContext } from "./context.ts";
import { deleteSandboxPayments } from "./store/payments.ts";

/** How long the tables of the sandbox are kept. */
export function sandboxRetention({ db, clock }: SandboxContext, kept: RetentionSettings): readonly RetentionRule[] {
  return [
    deliveryRetention,
    {
      table: "payments",
      age: "expires_at",
      clock,
      keptMs: kept.sandboxMs,
      timedIds: { column: "reference", prefix: "sbx_", clock },
      instead: {
        key: ["reference"],
        settle: (payments: readonly { readonly reference: string }[]) => deleteSandboxPayments(db, payments),
      },
    },
    { table: "parcels", age: "booked_at", clock, keptMs: kept.sandboxMs },
  ];
}
