import { create, toJsonString } from "@bufbuild/protobuf";
import {
  type SandboxPayment,
  SandboxPaymentEventSchema,
  SandboxPaymentSchema,
  SandboxRefund_State,
} from "../../gen/docket/sandbox/v1/sandbox_payment_pb.js";
import type { PaymentReport } from "./domain/payment.ts";

/** Converts a report to its message. */
export function toPaymentMessage(report: PaymentReport): SandboxPayment {
  const { currency } = report.amount;
  const refunds = report.refunds.map(({ minor, state, ...refund }) => ({
    ...refund,
    amount: { currency, minor },
    state: SandboxRefund_State[state],
  }));
  return create(SandboxPaymentSchema, { ...report, refunds });
}

/** The body of a callback. Sums are decimal strings of minor units. */
export function encodePaymentEvent(id: string, type: string, report: PaymentReport): string {
  const event = create(SandboxPaymentEventSchema, { id, type, payment: toPaymentMessage(report) });
  return toJsonString(SandboxPaymentEventSchema, event, { alwaysEmitImplicit: true });
}
