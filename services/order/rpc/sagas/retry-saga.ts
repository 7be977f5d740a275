import type { ServiceImpl } from "@connectrpc/connect";
import type { SagaService } from "../../../../gen/docket/operations/v1/saga_service_pb.js";
import type { OrderContext } from "../../context.ts";
import { commandSaga } from "./find-saga.ts";

/** Only where a person must look: a saga whose order was cancelled does not place the order again. */
export function retrySaga(ctx: OrderContext): ServiceImpl<typeof SagaService>["retrySaga"] {
  return ({ name }, context) =>
    commandSaga(ctx, name, context, async (trx, { id, status }) =>
      status === "NEEDS_ATTENTION" ? ctx.sagas.retry(trx, id) : { ok: false, reason: "WRONG_STATUS", status },
    );
}
