import type { ServiceImpl } from "@connectrpc/connect";
import type { SagaService } from "../../../../gen/docket/operations/v1/saga_service_pb.js";
import type { OrderContext } from "../../context.ts";
import { wrongState } from "../../errors.ts";
import { commandSaga } from "./find-saga.ts";

/** Only ReleaseOrder resumes the saga of an order on hold. */
export function resumeSaga(ctx: OrderContext): ServiceImpl<typeof SagaService>["resumeSaga"] {
  return ({ name }, context) =>
    commandSaga(ctx, name, context, (trx, { id }, order) => {
      if (order.state === "ON_HOLD") {
        throw wrongState(order, "ResumeSaga");
      }
      return ctx.sagas.resume(trx, id);
    });
}
