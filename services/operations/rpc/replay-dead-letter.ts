import type { ServiceImpl } from "@connectrpc/connect";
import type { DeadLetterService } from "../../../gen/docket/operations/v1/dead_letter_service_pb.js";
import type { OperationsContext } from "../context.ts";
import { clientOf, operatorOf, reachOf } from "./across/admin-client.ts";
import { findAcross } from "./across/find-across.ts";

/** The service of the consumer replays the dead letter and records it. */
export function replayDeadLetter(ctx: OperationsContext): ServiceImpl<typeof DeadLetterService>["replayDeadLetter"] {
  return async ({ name }, call) => {
    const tenant = reachOf(call);
    const { service } = await findAcross(ctx, call, (client, service) =>
      client.getDeadLetter({ service, tenant, name }),
    );
    const request = { service: service.name, tenant, name, operator: operatorOf(call) };
    return clientOf(service, call).replayDeadLetter(request);
  };
}
