import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { closeReservation } from "../close-reservation.ts";
import type { InventoryContext } from "../context.ts";
import { transition } from "../domain/reservation.ts";
import { reservationIdOf, toReservationMessage } from "../messages.ts";
import { insertReservation, lockReservation } from "../store/reservations.ts";

/**
 * Releases a HELD or COMMITTED reservation, except for units that have left the warehouse. A name that was never
 * reserved is stored as RELEASED, so that a late reservation is refused.
 */
export function releaseReservation(
  inventory: InventoryContext,
): ServiceImpl<typeof InventoryService>["releaseReservation"] {
  const { db, clock } = inventory;
  return async ({ name }, context) => {
    const principal = principalOf(context);
    const key = { tenant: principal.tenant, id: reservationIdOf(name) };

    return db.transaction(async (trx) => {
      const found = await lockReservation(trx, db.dialect, key);
      if (found === undefined) {
        const tombstone = {
          ...key,
          order: "",
          state: "RELEASED",
          lines: [],
          createdAt: clock.now().getTime(),
        } as const;
        await insertReservation(trx, db.dialect, tombstone);
      }
      const reservation = found ?? (await lockReservation(trx, db.dialect, key));
      if (reservation === undefined) {
        throw new Error(`${name} has gone in the middle of a transaction`);
      }
      if (transition(reservation.state, "release") !== "RELEASED") {
        return toReservationMessage(reservation);
      }
      return toReservationMessage(await closeReservation(inventory, trx, reservation, "RELEASED", actorOf(principal)));
    });
  };
}
