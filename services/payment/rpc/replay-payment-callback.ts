import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { failedPrecondition } from "../../runtime/errors.ts";
import type { PaymentContext } from "../context.ts";
import { callbackNotFound } from "../errors.ts";
import { processCallback } from "../process-callback.ts";
import { findCallback, lockCallback } from "../store/callbacks.ts";
import { callbackIdOf, toCallbackMessage } from "./callback-message.ts";

/** Processes a stored callback again; merging its reports once more changes nothing that it did already. */
export function replayPaymentCallback(
  payments: PaymentContext,
): ServiceImpl<typeof PaymentService>["replayPaymentCallback"] {
  const { db } = payments;
  return async ({ name }, context) => {
    const { tenant } = principalOf(context);
    const id = callbackIdOf(name);
    await db.transaction(
      async (trx) => {
        const callback = await lockCallback(trx, db.dialect, id);
        if (callback?.tenant !== tenant) {
          throw callbackNotFound(name);
        }
        const processed = await processCallback(payments, trx, callback);
        if (processed !== "finished") {
          const violation = { type: "CALLBACK_TOO_EARLY", subject: name, description: processed.early };
          throw failedPrecondition("CALLBACK_TOO_EARLY", `${name}: ${processed.early}`, [violation]);
        }
      },
      { signal: context.signal },
    );
    const callback = await findCallback(db.kysely, tenant, id);
    if (callback === undefined) {
      throw callbackNotFound(name);
    }
    return toCallbackMessage(callback);
  };
}
