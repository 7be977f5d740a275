import type { ServiceImpl } from "@connectrpc/connect";
import type { SagaService } from "../../../../gen/docket/operations/v1/saga_service_pb.js";
import type { OrderContext } from "../../context.ts";
import { commandSaga } from "./find-saga.ts";

export function compensateSaga(ctx: OrderContext): ServiceImpl<typeof SagaService>["compensateSaga"] {
  return ({ name }, context) =>
    commandSaga(ctx, name, context, (trx, { id }) =>
      ctx.sagas.compensate(trx, id, "OPERATOR", "An operator asked for it."),
    );
}
