import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  CompleteSandboxPaymentResponseSchema,
  type SandboxPaymentService,
} from "../../../gen/docket/payment/v1/sandbox_payment_service_pb.js";
import { sandboxPaymentNotFound } from "../errors.ts";
import type { SandboxProvider } from "../providers/sandbox/sandbox-provider.ts";

export function completeSandboxPayment(
  sandbox: SandboxProvider,
): ServiceImpl<typeof SandboxPaymentService>["completeSandboxPayment"] {
  return async ({ clientSecret, decline }) => {
    if (!(await sandbox.completePayment(clientSecret, decline))) {
      throw sandboxPaymentNotFound();
    }
    return create(CompleteSandboxPaymentResponseSchema);
  };
}
