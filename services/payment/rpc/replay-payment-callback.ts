import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { findCallback } from "../../runtime/callbacks/rows.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { failedPrecondition } from "../../runtime/errors.ts";
import type { PaymentContext } from "../context.ts";
import { callbackNotFound } from "../errors.ts";
import { callbackIdOf, toCallbackMessage } from "./callbacks/callback-message.ts";
import { mayRead } from "./callbacks/callback-visibility.ts";

/** Applies a stored callback again. Idempotent. */
export function replayPaymentCallback({
  db,
  callbackStore,
}: PaymentContext): ServiceImpl<typeof PaymentService>["replayPaymentCallback"] {
  return async ({ name }, call) => {
    const found = await findCallback(db.kysely, callbackIdOf(name));
    if (found === undefined || !mayRead(principalOf(call), found)) {
      throw callbackNotFound(name);
    }
    const { applied, callback } = await callbackStore.replay(found, call);
    if (applied.kind === "early") {
      const violation = { type: "CALLBACK_TOO_EARLY", subject: name, description: applied.problem };
      throw failedPrecondition("CALLBACK_TOO_EARLY", `${name}: ${applied.problem}`, [violation]);
    }
    return toCallbackMessage(callback);
  };
}
