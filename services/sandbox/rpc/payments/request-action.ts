import { create } from "@bufbuild/protobuf";
import {
  type SandboxPaymentResult,
  SandboxPaymentResultSchema,
} from "../../../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import type { SandboxContext } from "../../context.ts";
import type { SandboxAction } from "../../domain/decide.ts";
import { paymentNotFound } from "../../errors.ts";
import { toPaymentMessage } from "../../messages.ts";
import { actOnPayment, type PaymentOutcome } from "../../payments.ts";

/** Carries out a merchant's request. @throws ConnectError NOT_FOUND for an unknown reference */
export async function requestAction(
  ctx: SandboxContext,
  reference: string,
  action: SandboxAction,
): Promise<SandboxPaymentResult> {
  const outcome = await actOnPayment(ctx, "reference", reference, action);
  if (outcome === undefined) {
    throw paymentNotFound(reference);
  }
  return toResult(outcome);
}

export function toResult({ report, refusal }: PaymentOutcome): SandboxPaymentResult {
  return create(SandboxPaymentResultSchema, { payment: toPaymentMessage(report), refusal });
}
