import type { ServiceImpl } from "@connectrpc/connect";
import type { SandboxPaymentService } from "../../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import type { SandboxContext } from "../context.ts";
import { requestAction } from "./payments/request-action.ts";

export function refundSandboxPayment(
  ctx: SandboxContext,
): ServiceImpl<typeof SandboxPaymentService>["refundSandboxPayment"] {
  return ({ reference, requestId, minor, refundId }) =>
    requestAction(ctx, reference, { kind: "refund", key: requestId, amount: minor, refundId });
}
