import { type AuditedAct, type AuditedCall, auditTrail } from "../audit/audit.ts";
import type { AnyTransaction } from "../db/any-transaction.ts";
import type { Outbox } from "../outbox/outbox.ts";

/** An operator's act on a resource. */
export interface OperatorAct extends AuditedAct {
  /** The aggregate that the resource belongs to. */
  readonly aggregate: string;
  /** The tenants on whose audit trails it appears: the resource's and the operator's. */
  readonly tenants: ReadonlySet<string>;
}

/** Records an act on the audit trail, in the transaction of the change. */
export type RecordAct = (trx: AnyTransaction, call: AuditedCall, act: OperatorAct) => Promise<void>;

/** Records acts by events, for every service but the one that keeps the audit trail. */
export function recordByOutbox(outbox: Outbox): RecordAct {
  return (trx, call, act) =>
    outbox.publish(
      trx,
      [...act.tenants].flatMap((tenant) => auditTrail(call, { ...act, tenant })),
    );
}
