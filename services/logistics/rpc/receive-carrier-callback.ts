import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { HttpBodySchema } from "../../../gen/google/api/httpbody_pb.js";
import { notFound } from "../../runtime/errors.ts";
import type { LogisticsContext } from "../context.ts";

/** Receives a carrier's callback; see `CallbackInbox.receive`. */
export function receiveCarrierCallback({
  callbacks,
  carriers,
}: LogisticsContext): ServiceImpl<typeof LogisticsService>["receiveCarrierCallback"] {
  return async (request, call) => {
    const carrier = carriers.get(request.carrier);
    if (carrier === undefined) {
      throw notFound("docket.dev/Carrier", `carriers/${request.carrier}`);
    }
    await callbacks.receive(carrier, { header: call.requestHeader, body: request.body?.data ?? new Uint8Array() });
    const { contentType, body: text } = carrier.acknowledgement;
    return create(HttpBodySchema, { contentType, data: Buffer.from(text) });
  };
}
