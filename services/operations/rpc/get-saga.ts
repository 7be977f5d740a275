import type { ServiceImpl } from "@connectrpc/connect";
import type { SagaService } from "../../../gen/docket/operations/v1/saga_service_pb.js";
import type { OperationsContext } from "../context.ts";
import { reachOf } from "./across/admin-client.ts";
import { findAcross } from "./across/find-across.ts";

export function getSaga(ctx: OperationsContext): ServiceImpl<typeof SagaService>["getSaga"] {
  return async ({ name }, call) => {
    const tenant = reachOf(call);
    const { resource } = await findAcross(ctx, call, (client, service) => client.getSaga({ service, tenant, name }));
    return resource;
  };
}
