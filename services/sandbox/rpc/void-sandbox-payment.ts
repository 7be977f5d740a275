import type { ServiceImpl } from "@connectrpc/connect";
import type { SandboxPaymentService } from "../../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import type { SandboxContext } from "../context.ts";
import { requestAction } from "./payments/request-action.ts";

export function voidSandboxPayment(
  ctx: SandboxContext,
): ServiceImpl<typeof SandboxPaymentService>["voidSandboxPayment"] {
  return ({ reference, requestId }) => requestAction(ctx, reference, { kind: "void", key: requestId });
}
