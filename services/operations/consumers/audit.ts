import { create } from "@bufbuild/protobuf";
import { AuditEventSchema, AuditRecordedSchema } from "../../../gen/docket/audit/v1/audit_pb.js";
import type { EventBus } from "../../runtime/bus/event-bus.ts";
import { type Consumer, createConsumer } from "../../runtime/inbox/consumer.ts";
import { on } from "../../runtime/inbox/handlers.ts";
import type { Logger } from "../../runtime/telemetry/log.ts";
import type { OperationsContext } from "../context.ts";
import type { OperationsDatabase } from "../db/schema.ts";
import { insertAuditEvent } from "../store/audit-events.ts";

/** Stores acts reported by other services in the audit trail. */
export function createAuditConsumer({ db, ids }: OperationsContext, bus: EventBus, log: Logger): Consumer {
  return createConsumer<OperationsDatabase>({
    db,
    bus,
    log,
    ids,
    consumer: "operations.audit",
    handlers: [
      on(AuditRecordedSchema, (trx, { auditEvent }, { id, tenant, time }) =>
        insertAuditEvent(trx, { id, tenant, createdAt: time.getTime() }, auditEvent ?? create(AuditEventSchema)),
      ),
    ],
  });
}
