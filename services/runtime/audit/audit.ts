import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  type AuditEvent,
  AuditEvent_Outcome,
  AuditEventSchema,
  AuditRecordedSchema,
} from "../../../gen/docket/audit/v1/audit_pb.js";
import { actorOf, clientAddressKey, principalOf, requestIdKey } from "../context-values.ts";
import { type OutboxEvent, outboxEvent } from "../outbox/outbox.ts";

/** What a caller did. */
export interface AuditedAct {
  /** The resource name of what was acted on. */
  readonly resource: string;
  /** What was asked for, by the names of the request's fields. No personal data, no secrets. */
  readonly details?: Readonly<Record<string, string>>;
}

/** The RPC in which it was done; a `HandlerContext` is one. */
export type AuditedCall = Pick<HandlerContext, "values" | "method">;

/** The act with who did it, how and from where; undefined for Docket's own services, which act on another's behalf. */
export function auditEventOf({ values, method }: AuditedCall, act: AuditedAct): AuditEvent | undefined {
  const principal = principalOf({ values });
  if (principal.kind === "service") {
    return undefined;
  }
  return create(AuditEventSchema, {
    actor: actorOf(principal),
    method: `${method.parent.typeName}/${method.name}`,
    resource: act.resource,
    details: { ...act.details },
    clientAddress: values.get(clientAddressKey),
    requestId: values.get(requestIdKey),
    outcome: AuditEvent_Outcome.ALLOWED,
  });
}

/**
 * The act as an event, to be published in the transaction of the change: the operations service keeps it in the audit trail.
 * None for Docket's own services. `aggregate` is what the resource is part of and other events of the service are about.
 */
export function auditTrail(call: AuditedCall, act: AuditedAct & { readonly aggregate: string }): OutboxEvent[] {
  const auditEvent = auditEventOf(call, act);
  if (auditEvent === undefined) {
    return [];
  }
  const { tenant } = principalOf(call);
  const message = create(AuditRecordedSchema, { auditEvent });
  return [outboxEvent(AuditRecordedSchema, message, { tenant, aggregate: act.aggregate })];
}
