import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { release } from "../close-reservation.ts";
import type { InventoryContext } from "../context.ts";
import { reservationIdOf, toReservationMessage } from "../messages.ts";

/** Releases a reservation; see `release`. */
export function releaseReservation(ctx: InventoryContext): ServiceImpl<typeof InventoryService>["releaseReservation"] {
  return async ({ name }, call) => {
    const principal = principalOf(call);
    const key = { tenant: principal.tenant, id: reservationIdOf(name) };
    const { signal } = call;
    return toReservationMessage(await release(ctx, key, { actor: actorOf(principal), signal }));
  };
}
