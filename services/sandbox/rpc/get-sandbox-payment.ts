import type { ServiceImpl } from "@connectrpc/connect";
import type { SandboxPaymentService } from "../../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import type { SandboxContext } from "../context.ts";
import { paymentNotFound } from "../errors.ts";
import { toPaymentMessage } from "../messages.ts";
import { findPayment } from "../payments.ts";

export function getSandboxPayment(ctx: SandboxContext): ServiceImpl<typeof SandboxPaymentService>["getSandboxPayment"] {
  return async ({ reference }) => {
    const found = await findPayment(ctx, "reference", reference);
    if (found === undefined) {
      throw paymentNotFound(reference);
    }
    return toPaymentMessage(found.report);
  };
}
