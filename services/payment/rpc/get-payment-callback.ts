import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { PaymentContext } from "../context.ts";
import { callbackNotFound } from "../errors.ts";
import { findCallback } from "../store/callbacks.ts";
import { callbackIdOf, toCallbackMessage } from "./callback-message.ts";

export function getPaymentCallback({ db }: PaymentContext): ServiceImpl<typeof PaymentService>["getPaymentCallback"] {
  return async ({ name }, context) => {
    const callback = await findCallback(db.kysely, principalOf(context).tenant, callbackIdOf(name));
    if (callback === undefined) {
      throw callbackNotFound(name);
    }
    return toCallbackMessage(callback);
  };
}
