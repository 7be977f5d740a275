import { create, toJsonString } from "@bufbuild/protobuf";
import {
  SandboxPaymentEventSchema,
  SandboxPaymentSchema,
  SandboxRefund_State,
} from "../../../gen/docket/sandbox/v1/sandbox_payment_pb.js";
import type { Operation } from "../domain/operation.ts";
import type { Payment, Refund } from "../domain/payment.ts";
import type { ProviderReport } from "../domain/provider-report.ts";

/** A payment of 100.00 EUR, opened, without any known facts. */

export function somePayment(more: Partial<Payment> = {}): Payment {
  return {
    tenant: "t1",
    uid: "01",
    orderId: "o1",
    paymentId: "1",
    provider: "sandbox",
    reference: "ref",
    currency: "EUR",
    amount: 10_000n,
    authorized: 0n,
    captured: 0n,
    refunded: 0n,
    actionRequired: false,
    failed: false,
    expired: false,
    voided: false,
    captureAutomatically: true,
    settling: false,
    settleReason: "",
    clientSecret: "",
    redirectUrl: "",
    failureMessage: "",
    mismatch: "",
    createdAt: 1,
    updatedAt: 1,
    expiresAt: 1_000,
    version: 1,
    ...more,
  };
}

export function someRefund(more: Partial<Refund> = {}): Refund {
  return {
    id: "1",
    reference: undefined,
    amount: 1_000n,
    state: "PENDING",
    settlement: false,
    reason: "",
    failureMessage: "",
    createdAt: 2,
    ...more,
  };
}

export function someReport(more: Partial<ProviderReport> = {}): ProviderReport {
  return {
    reference: "ref",
    amount: { currency: "EUR", minor: 10_000n },
    authorized: 0n,
    captured: 0n,
    actionRequired: false,
    failed: false,
    voided: false,
    refunds: [],
    ...more,
  };
}

/** The body of a sandbox callback with the report. */
export function encodeEvent(id: string, type: string, { refunds, ...report }: ProviderReport): string {
  const payment = create(SandboxPaymentSchema, {
    ...report,
    refunds: refunds.map(({ state, ...refund }) => ({ ...refund, state: SandboxRefund_State[state] })),
  });
  return toJsonString(SandboxPaymentEventSchema, create(SandboxPaymentEventSchema, { id, type, payment }));
}

export function someOperation(more: Partial<Operation> = {}): Operation {
  return {
    id: "op",
    tenant: "t1",
    paymentUid: "01",
    kind: "VOID",
    key: "key",
    state: "PENDING",
    amount: 0n,
    refundId: undefined,
    paymentToken: "",
    message: "",
    attempt: 1,
    ...more,
  };
}
