import { type AuditedCall, reportDenied } from "../../../runtime/audit/audit.ts";
import type { Violation } from "../../domain/pricing.ts";

/** Fields named in one entry. */
const maxFields = 10;

/** Records an attempt to set prices without the scope for it on the audit trail. Returns whether there was one. */
export function auditForbiddenPrices(call: AuditedCall, violations: readonly Violation[]): boolean {
  const fields = violations.filter(({ isForbiddenPrice }) => isForbiddenPrice).map(({ field }) => field);
  if (fields.length > 0) {
    const details = { fields: fields.slice(0, maxFields).join(", ") };
    reportDenied(call, { resource: "", reason: "PRICE_OVERRIDE_DENIED", details });
  }
  return fields.length > 0;
}
