import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { SandboxPaymentService } from "../../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import type { SandboxContext } from "../context.ts";
import { openPayment } from "../payments.ts";
import { toResult } from "./payments/request-action.ts";

export function createSandboxPayment(
  ctx: SandboxContext,
): ServiceImpl<typeof SandboxPaymentService>["createSandboxPayment"] {
  return async ({ requestId, payment, amount, paymentToken, captureAutomatically, expireTime }) =>
    toResult(
      await openPayment(ctx, {
        openKey: requestId,
        tenant: payment?.tenant ?? "",
        payment: payment?.name ?? "",
        currency: amount?.currency ?? "",
        amount: amount?.minor ?? 0n,
        token: paymentToken,
        captureAutomatically,
        expiresAt: expireTime === undefined ? 0 : timestampMs(expireTime),
      }),
    );
}
