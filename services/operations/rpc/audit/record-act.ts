import type { Transaction } from "kysely";
import { type AuditedAct, type AuditedCall, auditEventOf } from "../../../runtime/audit/audit.ts";
import type { OperationsContext } from "../../context.ts";
import type { OperationsDatabase } from "../../db/schema.ts";
import { insertAuditEvent } from "../../store/audit-events.ts";

/** Stores the caller's act in the audit trails of its own tenant and the affected one, in the change's transaction. */
export async function recordAct(
  { ids, clock }: Pick<OperationsContext, "ids" | "clock">,
  trx: Transaction<OperationsDatabase>,
  call: AuditedCall,
  act: AuditedAct & { readonly tenants: Iterable<string> },
): Promise<void> {
  const event = auditEventOf(call, act);
  if (event === undefined) {
    return;
  }
  const createdAt = clock.now().getTime();
  for (const tenant of new Set(act.tenants)) {
    await insertAuditEvent(trx, { id: ids.next(), tenant, createdAt }, event);
  }
}
