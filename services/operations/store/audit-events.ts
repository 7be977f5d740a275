import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { type AuditEvent, AuditEvent_Outcome } from "../../../gen/docket/audit/v1/audit_pb.js";
import { type List, type ListPage, selectPage } from "../../runtime/api/list.ts";
import type { AuditEventsTable, OperationsDatabase } from "../db/schema.ts";

export type AuditEventRow = Selectable<AuditEventsTable>;

/** ListAuditEvents: newest first. */
export const auditList: List<AuditEventRow> = {
  method: "ListAuditEvents",
  filter: {
    actor: { type: "string", sql: sql.ref("audit_events.actor") },
    method: { type: "string", sql: sql.ref("audit_events.method") },
    resource: { type: "string", sql: sql.ref("audit_events.resource") },
    request_id: { type: "string", sql: sql.ref("audit_events.request_id") },
    client_address: { type: "string", sql: sql.ref("audit_events.client_address") },
    outcome: {
      type: "enum",
      values: { ALLOWED: "ALLOWED", DENIED: "DENIED" },
      sql: sql.ref("audit_events.outcome"),
    },
    reason: { type: "string", sql: sql.ref("audit_events.reason") },
    create_time: { type: "timestamp", sql: sql.ref("audit_events.created_at") },
  },
  unique: { sql: sql.ref("audit_events.id"), kind: "text", of: ({ id }) => id },
  order: { direction: "desc" },
  bytesOf: ({ details, resource }) => 500 + details.length + resource.length,
};

/** Inserts an act in the caller's transaction. */
export async function insertAuditEvent(
  trx: Transaction<OperationsDatabase>,
  { id, tenant, createdAt }: { id: string; tenant: string; createdAt: number },
  event: AuditEvent,
): Promise<void> {
  await trx
    .insertInto("audit_events")
    .values({
      tenant_id: tenant,
      id,
      actor: event.actor,
      method: event.method,
      resource: event.resource,
      details: JSON.stringify(event.details),
      client_address: event.clientAddress,
      request_id: event.requestId,
      outcome: event.outcome === AuditEvent_Outcome.DENIED ? "DENIED" : "ALLOWED",
      reason: event.reason,
      created_at: createdAt,
    })
    .execute();
}

/** Reads a page of a tenant's acts. */
export function listAuditEvents(
  kysely: Kysely<OperationsDatabase>,
  tenant: string,
  page: ListPage,
): Promise<AuditEventRow[]> {
  return selectPage(kysely.selectFrom("audit_events").selectAll().where("tenant_id", "=", tenant), page).execute();
}
