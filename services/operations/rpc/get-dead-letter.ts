import type { ServiceImpl } from "@connectrpc/connect";
import type { DeadLetterService } from "../../../gen/docket/operations/v1/dead_letter_service_pb.js";
import type { OperationsContext } from "../context.ts";
import { reachOf } from "./across/admin-client.ts";
import { findAcross } from "./across/find-across.ts";

export function getDeadLetter(ctx: OperationsContext): ServiceImpl<typeof DeadLetterService>["getDeadLetter"] {
  return async ({ name }, call) => {
    const tenant = reachOf(call);
    const { resource } = await findAcross(ctx, call, (client, service) =>
      client.getDeadLetter({ service, tenant, name }),
    );
    return resource;
  };
}
