import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { findCallback } from "../../runtime/callbacks/rows.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { PaymentContext } from "../context.ts";
import { callbackNotFound } from "../errors.ts";
import { callbackIdOf, toCallbackMessage } from "./callbacks/callback-message.ts";
import { mayRead } from "./callbacks/callback-visibility.ts";

export function getPaymentCallback({ db }: PaymentContext): ServiceImpl<typeof PaymentService>["getPaymentCallback"] {
  return async ({ name }, call) => {
    const callback = await findCallback(db.kysely, callbackIdOf(name));
    if (callback === undefined || !mayRead(principalOf(call), callback)) {
      throw callbackNotFound(name);
    }
    return toCallbackMessage(callback);
  };
}
