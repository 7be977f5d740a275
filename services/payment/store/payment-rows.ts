import type { Selectable } from "kysely";
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

/** Converts a payment to its row, without the columns of the poll. */
export function toRow(payment: Payment): Omit<Selectable<PaymentsTable>, "attempt" | "due_at"> {
  return {
    tenant_id: payment.tenant,
    order_id: payment.orderId,
    payment_id: payment.paymentId,
    id: payment.uid,
    provider: payment.provider,
    provider_reference: payment.reference ?? null,
    currency: payment.currency,
    amount: payment.amount,
    authorized: payment.authorized,
    captured: payment.captured,
    refunded: payment.refunded,
    action_required: Number(payment.actionRequired),
    failed: Number(payment.failed),
    expired: Number(payment.expired),
    voided: Number(payment.voided),
    state: paymentState(payment),
    capture_automatically: Number(payment.captureAutomatically),
    settling: Number(payment.settling),
    settle_reason: payment.settleReason,
    client_secret: payment.clientSecret,
    redirect_url: payment.redirectUrl,
    failure_message: payment.failureMessage,
    mismatch_message: payment.mismatch || null,
    created_at: payment.createdAt,
    updated_at: payment.updatedAt,
    expires_at: payment.expiresAt,
    version: payment.version,
  };
}
