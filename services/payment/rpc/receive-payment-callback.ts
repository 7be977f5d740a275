import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { HttpBodySchema } from "../../../gen/google/api/httpbody_pb.js";
import { notFound } from "../../runtime/errors.ts";
import type { PaymentContext } from "../context.ts";

/** Receives a provider's callback; see `CallbackInbox.receive`. */
export function receivePaymentCallback({
  callbacks,
  providers,
}: PaymentContext): ServiceImpl<typeof PaymentService>["receivePaymentCallback"] {
  return async ({ provider: name, body }, call) => {
    const provider = providers.get(name);
    if (provider === undefined) {
      throw notFound("docket.dev/PaymentProvider", name);
    }
    await callbacks.receive(provider, { header: call.requestHeader, body: body?.data ?? new Uint8Array() });
    const { contentType, body: text } = provider.acknowledgement;
    return create(HttpBodySchema, { contentType, data: Buffer.from(text) });
  };
}
