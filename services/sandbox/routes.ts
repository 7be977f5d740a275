import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";
import { SandboxCarrierService } from "../../gen/docket/sandbox/v1/sandbox_carrier_service_pb.js";
import { SandboxPaymentService } from "../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import { createApiKeyCheck } from "./api-key.ts";
import type { SandboxContext } from "./context.ts";
import { bookSandboxParcel } from "./rpc/book-sandbox-parcel.ts";
import { cancelSandboxParcel } from "./rpc/cancel-sandbox-parcel.ts";
import { captureSandboxPayment } from "./rpc/capture-sandbox-payment.ts";
import { completeSandboxPayment } from "./rpc/complete-sandbox-payment.ts";
import { createSandboxPayment } from "./rpc/create-sandbox-payment.ts";
import { getSandboxPayment } from "./rpc/get-sandbox-payment.ts";
import { getSandboxPaymentPage } from "./rpc/get-sandbox-payment-page.ts";
import { refundSandboxPayment } from "./rpc/refund-sandbox-payment.ts";
import { trackSandboxParcel } from "./rpc/track-sandbox-parcel.ts";
import { voidSandboxPayment } from "./rpc/void-sandbox-payment.ts";

/** The RPCs of the sandbox. All but the shopper's two require the merchant's key. */
export function routes(ctx: SandboxContext): ServiceImplSpec[] {
  const keyed = createApiKeyCheck(ctx.apiKey);
  return [
    createServiceImplSpec<typeof SandboxPaymentService>(SandboxPaymentService, {
      ...keyed({
        createSandboxPayment: createSandboxPayment(ctx),
        getSandboxPayment: getSandboxPayment(ctx),
        captureSandboxPayment: captureSandboxPayment(ctx),
        voidSandboxPayment: voidSandboxPayment(ctx),
        refundSandboxPayment: refundSandboxPayment(ctx),
      }),
      getSandboxPaymentPage: getSandboxPaymentPage(ctx),
      completeSandboxPayment: completeSandboxPayment(ctx),
    } satisfies ServiceImpl<typeof SandboxPaymentService>),
    createServiceImplSpec<typeof SandboxCarrierService>(
      SandboxCarrierService,
      keyed({
        bookSandboxParcel: bookSandboxParcel(ctx),
        cancelSandboxParcel: cancelSandboxParcel(ctx),
        trackSandboxParcel: trackSandboxParcel(ctx),
      }) satisfies ServiceImpl<typeof SandboxCarrierService>,
    ),
  ];
}
