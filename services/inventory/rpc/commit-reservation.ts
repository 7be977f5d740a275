import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import { transition } from "../domain/reservation.ts";
import { reservationIs, reservationNotFound } from "../errors.ts";
import { expire } from "../give-back.ts";
import { reservationIdOf, toReservationMessage } from "../messages.ts";
import { findReservation, lockReservation, setReservationState } from "../store/reservations.ts";

/**
 * Makes a HELD reservation permanent. One whose time is over is expired then and there, if the sweep has not come to it
 * yet: whether a commit is refused depends on the clock alone, and who reserves again finds the stock free.
 */
export function commitReservation(
  inventory: InventoryContext,
): ServiceImpl<typeof InventoryService>["commitReservation"] {
  const { db, clock } = inventory;
  return async ({ name }, context) => {
    const { tenant } = principalOf(context);
    const key = { tenant, id: reservationIdOf(name) };

    const { refused } = await db.transaction(async (trx) => {
      const reservation = await lockReservation(trx, db.dialect, key);
      if (reservation === undefined) {
        throw reservationNotFound(key.id);
      }
      if (reservation.overdue) {
        await expire(inventory, trx, reservation);
        return { refused: "EXPIRED" as const };
      }
      const next = transition(reservation.state, "commit");
      if (next === "refused") {
        return { refused: reservation.state };
      }
      if (next !== "stays") {
        await setReservationState(trx, key, next, clock.now().getTime());
      }
      return { refused: undefined };
    });
    if (refused !== undefined) {
      throw reservationIs(refused, key.id);
    }
    const committed = await findReservation(db.kysely, db.dialect, key);
    if (committed === undefined) {
      throw reservationNotFound(key.id);
    }
    return toReservationMessage(committed);
  };
}
