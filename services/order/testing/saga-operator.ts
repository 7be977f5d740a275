import { create } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import {
  AdminService,
  Operator_Kind,
  OperatorSchema,
  SagaCommand,
} from "../../../gen/docket/admin/v1/admin_service_pb.js";
import { createServiceClient } from "../../runtime/call/service-client.ts";

/** An operator of a tenant at the order service alone: SagaService as the operations service would call it. */
export function sagaOperator(transport: Transport, tenant: string) {
  const admin = createServiceClient(AdminService, transport, { subject: "operations" }).for(tenant);
  const target = { service: "order", tenant };
  const command =
    (command: SagaCommand, method: string) =>
    ({ name }: { readonly name: string }) => {
      const operator = create(OperatorSchema, {
        kind: Operator_Kind.API_KEY,
        subject: "test",
        tenant,
        method: `docket.operations.v1.SagaService/${method}`,
      });
      return admin.commandSaga({ ...target, name, command, operator });
    };
  return {
    listSagas: ({ filter = "", pageSize = 50 }) => admin.listSagas({ ...target, filter, limit: pageSize }),
    getSaga: ({ name }: { readonly name: string }) => admin.getSaga({ ...target, name }),
    pauseSaga: command(SagaCommand.PAUSE, "PauseSaga"),
    resumeSaga: command(SagaCommand.RESUME, "ResumeSaga"),
    retrySaga: command(SagaCommand.RETRY, "RetrySaga"),
    compensateSaga: command(SagaCommand.COMPENSATE, "CompensateSaga"),
  };
}
