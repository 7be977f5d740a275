import { create } from "@bufbuild/protobuf";
import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import {
  type AuditEvent,
  AuditEvent_Outcome,
  AuditEventSchema,
  AuditRecordedSchema,
} from "../../../gen/docket/audit/v1/audit_pb.js";
import { actorOf, clientAddressKey, principalOf, requestIdKey } from "../context-values.ts";
import { type OutboxEvent, outboxEvent } from "../outbox/outbox.ts";
import type { Denial } from "./denial-log.ts";

/** Receives rejected attempts. Set by the audit interceptor. */
export const reportDenialKey = createContextKey<(denial: Denial) => void>(() => {}, { description: "report denial" });

/** An action to audit. */
export interface AuditedAct {
  /** Resource name of the target. */
  readonly resource: string;
  /** Request parameters by field name. Must not contain personal data or secrets. */
  readonly details?: Readonly<Record<string, string>>;
}

/** The RPC that performs the action; a `HandlerContext` fits. */
export interface AuditedCall extends Pick<HandlerContext, "values"> {
  readonly method: { readonly name: string; readonly parent: { readonly typeName: string } };
}

/**
 * Builds the audit event with actor, method and origin; undefined for Docket's own services, which act on behalf of
 * others.
 */
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
 * Returns the action as an outbox event, to be published in the transaction of the change; the operations service
 * stores it in the audit trail of `tenant`, by default the caller's. Empty for Docket's own services. `aggregate` is the
 * aggregate that the resource belongs to.
 */
export function auditTrail(
  call: AuditedCall,
  act: AuditedAct & { readonly aggregate: string; readonly tenant?: string },
): OutboxEvent[] {
  const auditEvent = auditEventOf(call, act);
  if (auditEvent === undefined) {
    return [];
  }
  const { tenant = principalOf(call).tenant } = act;
  const message = create(AuditRecordedSchema, { auditEvent });
  return [outboxEvent(AuditRecordedSchema, message, { tenant, aggregate: act.aggregate })];
}

/**
 * Records an attempt that a handler rejects for lack of permission, although its error is of another kind or the call
 * goes on. `reason` has at most 64 characters. Not recorded for Docket's own services.
 */
export function reportDenied(call: AuditedCall, act: AuditedAct & { readonly reason: string }): void {
  const auditEvent = auditEventOf(call, act);
  if (auditEvent !== undefined) {
    const event = { ...auditEvent, outcome: AuditEvent_Outcome.DENIED, reason: act.reason };
    call.values.get(reportDenialKey)({ tenant: principalOf(call).tenant, event });
  }
}
