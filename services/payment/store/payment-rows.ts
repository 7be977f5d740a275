import type { Insertable, Selectable, Updateable } from "kysely";
import type { PaymentsTable } from "../db/schema.ts";
import { type Payment, paymentState } from "../domain/payment.ts";

/** Converts between rows and payments. */

export function toPayment(row: Selectable<PaymentsTable>): Payment {
  return {
    tenant: row.tenant_id,
    uid: row.id,
    orderId: row.order_id,
    paymentId: row.payment_id,
    provider: row.provider,
    reference: row.provider_reference ?? undefined,
    currency: row.currency,
    amount: BigInt(row.amount),
    authorized: BigInt(row.authorized),
    captured: BigInt(row.captured),
    refunded: BigInt(row.refunded),
    actionRequired: row.action_required === 1,
    failed: row.failed === 1,
    expired: row.expired === 1,
    voided: row.voided === 1,
    captureAutomatically: row.capture_automatically === 1,
    settling: row.settling === 1,
    settleReason: row.settle_reason,
    clientSecret: row.client_secret,
    redirectUrl: row.redirect_url,
    failureMessage: row.failure_message,
    mismatch: row.mismatch_message ?? "",
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    expiresAt: row.expires_at,
    version: row.version,
  };
}

/** The columns that may change after insertion. */
export function toChangingColumns(payment: Payment) {
  return {
    provider_reference: payment.reference ?? null,
    authorized: payment.authorized,
    captured: payment.captured,
    refunded: payment.refunded,
    action_required: Number(payment.actionRequired),
    failed: Number(payment.failed),
    expired: Number(payment.expired),
    voided: Number(payment.voided),
    state: paymentState(payment),
    settling: Number(payment.settling),
    settle_reason: payment.settleReason,
    client_secret: payment.clientSecret,
    redirect_url: payment.redirectUrl,
    failure_message: payment.failureMessage,
    mismatch_message: payment.mismatch || null,
    updated_at: payment.updatedAt,
    version: payment.version,
  } satisfies Updateable<PaymentsTable>;
}

export function toRow(payment: Payment): Insertable<PaymentsTable> {
  return {
    ...toChangingColumns(payment),
    tenant_id: payment.tenant,
    order_id: payment.orderId,
    payment_id: payment.paymentId,
    id: payment.uid,
    provider: payment.provider,
    currency: payment.currency,
    amount: payment.amount,
    capture_automatically: Number(payment.captureAutomatically),
    created_at: payment.createdAt,
    expires_at: payment.expiresAt,
    attempt: 0,
    due_at: null,
  };
}
