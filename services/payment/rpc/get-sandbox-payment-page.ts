import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { SandboxPaymentService } from "../../../gen/docket/payment/v1/sandbox_payment_service_pb.js";
import { HttpBodySchema } from "../../../gen/google/api/httpbody_pb.js";
import { sandboxPaymentNotFound } from "../errors.ts";
import { sandboxPage, sandboxPageHeaders } from "../providers/sandbox/page.ts";
import type { SandboxProvider } from "../providers/sandbox/sandbox-provider.ts";

export function getSandboxPaymentPage(
  sandbox: SandboxProvider,
): ServiceImpl<typeof SandboxPaymentService>["getSandboxPaymentPage"] {
  return async ({ clientSecret }, { responseHeader }) => {
    const shown = await sandbox.showPayment(clientSecret);
    if (shown === undefined) {
      throw sandboxPaymentNotFound();
    }
    for (const [name, value] of Object.entries(sandboxPageHeaders)) {
      responseHeader.set(name, value);
    }
    const html = sandboxPage(shown.payment, shown.isOpen);
    return create(HttpBodySchema, { contentType: "text/html; charset=utf-8", data: Buffer.from(html) });
  };
}
