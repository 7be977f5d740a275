import type { HandlerContext } from "@connectrpc/connect";
import type { SagaCommand } from "../../../../gen/docket/admin/v1/admin_service_pb.js";
import type { Saga } from "../../../../gen/docket/operations/v1/operations_pb.js";
import type { OperationsContext } from "../../context.ts";
import { clientOf, operatorOf, reachOf } from "./admin-client.ts";
import { findAcross } from "./find-across.ts";

/**
 * Has the service that runs the saga carry out the caller's command, and record it.
 *
 * @throws ConnectError NOT_FOUND, SERVICES_UNAVAILABLE, or the service's rejection
 */
export async function commandSaga(
  ctx: OperationsContext,
  command: SagaCommand,
  name: string,
  call: HandlerContext,
): Promise<Saga> {
  const tenant = reachOf(call);
  const { service } = await findAcross(ctx, call, (client, service) => client.getSaga({ service, tenant, name }));
  const request = { service: service.name, tenant, name, command, operator: operatorOf(call) };
  return clientOf(service, call).commandSaga(request);
}
