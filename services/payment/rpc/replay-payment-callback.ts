import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { findCallback, lockCallback } from "../../runtime/callbacks/rows.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { failedPrecondition } from "../../runtime/errors.ts";
import type { PaymentContext } from "../context.ts";
import { callbackNotFound } from "../errors.ts";
import { callbackIdOf, toCallbackMessage } from "./callbacks/callback-message.ts";
import { mayRead } from "./callbacks/callback-visibility.ts";

/** Applies a stored callback again. Idempotent. */
export function replayPaymentCallback({
  db,
  callbacks,
}: PaymentContext): ServiceImpl<typeof PaymentService>["replayPaymentCallback"] {
  return async ({ name }, context) => {
    const principal = principalOf(context);
    const id = callbackIdOf(name);
    await db.transaction(
      async (trx) => {
        const callback = await lockCallback(trx, db.dialect, id);
        if (callback === undefined || !mayRead(principal, callback)) {
          throw callbackNotFound(name);
        }
        const applied = await callbacks.replay(trx, callback);
        if (applied.kind === "early") {
          const violation = { type: "CALLBACK_TOO_EARLY", subject: name, description: applied.problem };
          throw failedPrecondition("CALLBACK_TOO_EARLY", `${name}: ${applied.problem}`, [violation]);
        }
      },
      { signal: context.signal },
    );
    const callback = await findCallback(db.kysely, id);
    if (callback === undefined) {
      throw callbackNotFound(name);
    }
    return toCallbackMessage(callback);
  };
}
