import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import { reservationNotFound } from "../errors.ts";
import { reservationIdOf, toReservationMessage } from "../messages.ts";
import { findReservation } from "../store/reservations.ts";

export function getReservation({ db }: InventoryContext): ServiceImpl<typeof InventoryService>["getReservation"] {
  return async ({ name }, call) => {
    const key = { tenant: principalOf(call).tenant, id: reservationIdOf(name) };
    const reservation = await findReservation(db.kysely, key);
    if (reservation === undefined) {
      throw reservationNotFound(key.id);
    }
    return toReservationMessage(reservation);
  };
}
