import type { ServiceImpl } from "@connectrpc/connect";
import type { SagaService } from "../../../../gen/docket/operations/v1/saga_service_pb.js";
import type { OrderContext } from "../../context.ts";
import { findSaga } from "./find-saga.ts";
import { toSagaMessage } from "./saga-message.ts";

export function getSaga(ctx: OrderContext): ServiceImpl<typeof SagaService>["getSaga"] {
  return async ({ name }, context) => toSagaMessage(await findSaga(ctx, name, context));
}
