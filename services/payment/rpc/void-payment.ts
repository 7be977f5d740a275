import type { ServiceImpl } from "@connectrpc/connect";
import { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { PaymentContext } from "../context.ts";
import { paymentState } from "../domain/payment.ts";
import { allowedActions } from "../domain/payment-state.ts";
import { illegalState, operationRunning } from "../errors.ts";
import { executeOperation } from "./operations/execute-operation.ts";
import { startOperation } from "./operations/start-operation.ts";

/** Voids an uncaptured payment. Of a concurrent capture and void, the one written first wins. */
export function voidPayment(ctx: PaymentContext): ServiceImpl<typeof PaymentService>["voidPayment"] {
  return (request, call) => {
    const { tenant } = principalOf(call);
    const { voidPayment: method } = PaymentService.method;
    return executeOperation(ctx, { tenant, method, kind: "VOID", request, call }, (batch, file, caller) => {
      const { payment, operations } = file;
      if (!allowedActions(paymentState(payment)).includes("void")) {
        throw illegalState(payment, "void");
      }
      if (operations.some(({ state }) => state === "PENDING")) {
        throw operationRunning(payment);
      }
      return startOperation(ctx, batch, file, { kind: "VOID", amount: payment.authorized }, caller);
    });
  };
}
