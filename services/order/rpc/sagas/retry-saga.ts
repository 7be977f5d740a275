import type { ServiceImpl } from "@connectrpc/connect";
import type { SagaService } from "../../../../gen/docket/operations/v1/saga_service_pb.js";
import type { OrderContext } from "../../context.ts";
import { lacksFunds } from "../../domain/funding.ts";
import { orderNotFunded } from "../../errors.ts";
import { commandSaga } from "./find-saga.ts";

/**
 * Retries only sagas that need attention: the saga of a cancelled order does not place the order again. The saga of an
 * order that has lost its funds is rejected, as by ReleaseOrder.
 */
export function retrySaga(ctx: OrderContext): ServiceImpl<typeof SagaService>["retrySaga"] {
  return ({ name }, context) =>
    commandSaga(ctx, name, context, async (trx, { id, status }, order) => {
      if (status !== "NEEDS_ATTENTION") {
        return { ok: false, reason: "WRONG_STATUS", status };
      }
      if (lacksFunds(order)) {
        throw orderNotFunded(order);
      }
      return ctx.sagas.retry(trx, id);
    });
}
