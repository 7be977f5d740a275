import type { ServiceImpl } from "@connectrpc/connect";
import type { SagaService } from "../../../../gen/docket/operations/v1/saga_service_pb.js";
import type { OrderContext } from "../../context.ts";
import { commandSaga } from "./find-saga.ts";

export function pauseSaga(ctx: OrderContext): ServiceImpl<typeof SagaService>["pauseSaga"] {
  return ({ name }, context) => commandSaga(ctx, name, context, (trx, { id }) => ctx.sagas.pause(trx, id));
}
