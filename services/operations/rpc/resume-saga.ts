import type { ServiceImpl } from "@connectrpc/connect";
import { SagaCommand } from "../../../gen/docket/admin/v1/admin_service_pb.js";
import type { SagaService } from "../../../gen/docket/operations/v1/saga_service_pb.js";
import type { OperationsContext } from "../context.ts";
import { commandSaga } from "./across/command-saga.ts";

export function resumeSaga(ctx: OperationsContext): ServiceImpl<typeof SagaService>["resumeSaga"] {
  return ({ name }, call) => commandSaga(ctx, SagaCommand.RESUME, name, call);
}
