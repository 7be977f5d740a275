import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type AuditEvent, AuditEvent_Outcome, AuditEventSchema } from "../../../gen/docket/audit/v1/audit_pb.js";
import type { AuditService } from "../../../gen/docket/operations/v1/audit_service_pb.js";
import { readList } from "../../runtime/api/list.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { OperationsContext } from "../context.ts";
import { type AuditEventRow, auditList, listAuditEvents as selectAuditEvents } from "../store/audit-events.ts";
import { tenantOf } from "./tenancy/tenant-of.ts";

export function listAuditEvents({ db }: OperationsContext): ServiceImpl<typeof AuditService>["listAuditEvents"] {
  return async (request, call) => {
    const tenant = tenantOf(principalOf(call), request.tenant);
    const { rows, nextPageToken } = await readList(auditList, {
      db,
      call,
      request,
      scope: [tenant],
      read: (reads, page) => selectAuditEvents(reads, tenant, page),
    });
    return { auditEvents: rows.map(toAuditEvent), nextPageToken };
  };
}

function toAuditEvent(row: AuditEventRow): AuditEvent {
  return create(AuditEventSchema, {
    name: `auditEvents/${row.id}`,
    actor: row.actor,
    method: row.method,
    resource: row.resource,
    details: JSON.parse(row.details) as Record<string, string>,
    clientAddress: row.client_address,
    requestId: row.request_id,
    createTime: timestampFromMs(row.created_at),
    outcome: AuditEvent_Outcome[row.outcome],
    reason: row.reason,
  });
}
