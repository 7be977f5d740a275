import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { SandboxPaymentService } from "../../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import { HttpBodySchema } from "../../../gen/google/api/httpbody_pb.js";
import type { SandboxContext } from "../context.ts";
import { pageNotFound } from "../errors.ts";
import { sandboxPage, sandboxPageHeaders } from "../payment-page.ts";
import { findPayment } from "../payments.ts";

export function getSandboxPaymentPage(
  ctx: SandboxContext,
): ServiceImpl<typeof SandboxPaymentService>["getSandboxPaymentPage"] {
  return async ({ clientSecret }, { responseHeader }) => {
    const found = await findPayment(ctx, "client_secret", clientSecret);
    if (found === undefined) {
      throw pageNotFound();
    }
    for (const [name, value] of Object.entries(sandboxPageHeaders)) {
      responseHeader.set(name, value);
    }
    const { authorized, failed, voided, actionRequired } = found.report;
    const html = sandboxPage(found.payment, actionRequired && authorized === 0n && !failed && !voided);
    return create(HttpBodySchema, { contentType: "text/html; charset=utf-8", data: Buffer.from(html) });
  };
}
