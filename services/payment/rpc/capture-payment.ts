import type { ServiceImpl } from "@connectrpc/connect";
import { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { PaymentContext } from "../context.ts";
import { pendingOf } from "../domain/operation.ts";
import { capturable, paymentState, sumOf } from "../domain/payment.ts";
import { allowedActions } from "../domain/payment-state.ts";
import { illegalState, operationRunning, settling, tooMuch } from "../errors.ts";
import type { PaymentAggregate } from "../store/payment-aggregate.ts";
import { executeOperation } from "./operations/execute-operation.ts";
import { parseAmount } from "./operations/parse-amount.ts";
import { startOperation } from "./operations/start-operation.ts";

/** Captures authorized money. The amounts of other pending captures count as captured. */
export function capturePayment(ctx: PaymentContext): ServiceImpl<typeof PaymentService>["capturePayment"] {
  return (request, call) => {
    const { tenant } = principalOf(call);
    const { capturePayment: method } = PaymentService.method;
    return executeOperation(ctx, { tenant, method, kind: "CAPTURE", request, call }, (batch, file, caller) => {
      const available = availableToCapture(file);
      const wanted = parseAmount(request.amount, file.payment) ?? available;
      if (wanted > available || wanted === 0n) {
        throw pendingOf(file.operations, "CAPTURE")
          ? operationRunning(file.payment)
          : tooMuch("CAPTURE_EXCEEDS_AUTHORIZED", file.payment, { wanted, available });
      }
      return startOperation(ctx, batch, file, { kind: "CAPTURE", amount: wanted }, caller);
    });
  };
}

function availableToCapture({ payment, operations }: PaymentAggregate): bigint {
  if (!allowedActions(paymentState(payment)).includes("capture")) {
    throw illegalState(payment, "capture");
  }
  if (payment.settling) {
    throw settling(payment);
  }
  if (pendingOf(operations, "VOID")) {
    throw operationRunning(payment);
  }
  const running = operations.filter(({ kind, state }) => kind === "CAPTURE" && state === "PENDING");
  const left = capturable(payment) - sumOf(running);
  return left > 0n ? left : 0n;
}
