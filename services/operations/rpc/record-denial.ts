import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { AuditEventSchema } from "../../../gen/docket/audit/v1/audit_pb.js";
import type { AuditService } from "../../../gen/docket/operations/v1/audit_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { OperationsContext } from "../context.ts";
import { insertAuditEvent } from "../store/audit-events.ts";

/** Stores a refused attempt in the audit trail of the caller's tenant. */
export function recordDenial({ db, ids, clock }: OperationsContext): ServiceImpl<typeof AuditService>["recordDenial"] {
  return async ({ auditEvent }, call) => {
    const { tenant } = principalOf(call);
    const kept = { id: ids.next(), tenant, createdAt: clock.now().getTime() };
    await db.transaction((trx) => insertAuditEvent(trx, kept, auditEvent ?? create(AuditEventSchema)));
    return {};
  };
}
