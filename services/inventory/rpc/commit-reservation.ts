import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import type { Command } from "../../runtime/commands/command.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { expireIfOverdue } from "../close-reservation.ts";
import type { InventoryContext } from "../context.ts";
import { isOverdue, type ReservationValue, transition } from "../domain/reservation.ts";
import { reservationIs, reservationNotFound } from "../errors.ts";
import { reservationIdOf, toReservationMessage } from "../messages.ts";
import { reservations } from "../store/mappings.ts";
import type { ReservationKey } from "../store/reservations.ts";

/**
 * Commits a HELD reservation. An overdue one is expired immediately if the sweep has not done so: whether a commit is
 * refused depends on the clock alone, and the stock is available to the next reservation.
 */
export function commitReservation(ctx: InventoryContext): ServiceImpl<typeof InventoryService>["commitReservation"] {
  const { commands, clock } = ctx;
  return async ({ name }, call) => {
    const { tenant } = principalOf(call);
    const key = { tenant, id: reservationIdOf(name) };

    const committed = await commands.execute(commit(key, clock.now().getTime()), { signal: call.signal, tenant });
    if (committed === "overdue") {
      throw reservationIs(await expireIfOverdue(ctx, key), key.id);
    }
    return toReservationMessage(committed);
  };
}

function commit({ tenant, id }: ReservationKey, nowMs: number): Command<ReservationValue | "overdue"> {
  return {
    keys: (need) => need.one(reservations, [tenant, id]),
    decide(batch) {
      const reservation = batch.get(reservations, [tenant, id]);
      if (reservation === undefined) {
        throw reservationNotFound(id);
      }
      if (isOverdue(reservation, batch.nowMs)) {
        return "overdue";
      }
      const next = transition(reservation.state, "commit");
      if (next === "refused") {
        throw reservationIs(reservation.state, id);
      }
      if (next === "stays") {
        return reservation;
      }
      const committed = { ...reservation, state: next, expiresAt: undefined, updatedAt: nowMs };
      batch.update(reservations, committed);
      return committed;
    },
  };
}
