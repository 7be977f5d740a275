import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  CompleteSandboxPaymentResponseSchema,
  type SandboxPaymentService,
} from "../../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import type { SandboxContext } from "../context.ts";
import { pageNotFound } from "../errors.ts";
import { actOnPayment } from "../payments.ts";

/** Pays or declines on behalf of the shopper. Does nothing if the payment is no longer open. */
export function completeSandboxPayment(
  ctx: SandboxContext,
): ServiceImpl<typeof SandboxPaymentService>["completeSandboxPayment"] {
  return async ({ clientSecret, decline }) => {
    const action = { kind: decline ? "decline" : "pay", key: null } as const;
    if ((await actOnPayment(ctx, "client_secret", clientSecret, action)) === undefined) {
      throw pageNotFound();
    }
    return create(CompleteSandboxPaymentResponseSchema);
  };
}
