import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import type { StoredReservation } from "../domain/reservation.ts";
import { resize } from "../domain/resize.ts";
import { outOfStock, reservationIs, reservationNotFound } from "../errors.ts";
import { stockChanged } from "../events.ts";
import { reservationIdOf, toReservationMessage } from "../messages.ts";
import { moveStock } from "../store/ledger.ts";
import { findReservation, lockReservation, resizeReservation as store } from "../store/reservations.ts";

/**
 * Resizes a reservation. Idempotent: quantities are totals, not differences, and the revision rejects late requests.
 */
export function resizeReservation({
  db,
  outbox,
  clock,
}: InventoryContext): ServiceImpl<typeof InventoryService>["resizeReservation"] {
  return async ({ name, items, revision, giveBackOnly }, context) => {
    const principal = principalOf(context);
    const { tenant } = principal;
    const key = { tenant, id: reservationIdOf(name) };
    const wanted = new Map(items.map(({ sku, quantity }) => [sku, quantity]));

    await db.transaction(async (trx) => {
      const reservation = await lockReservation(trx, db.dialect, key);
      if (reservation === undefined) {
        throw reservationNotFound(key.id);
      }
      if (!isResizable(reservation) || revision < reservation.revision) {
        return;
      }
      const nowMs = clock.now().getTime();
      const { quantities, more, less, state } = resize(reservation.lines, wanted, { giveBackOnly });
      const move = async (type: "RELEASE" | "RESERVATION", moves: typeof more) => {
        const cause = { type, reservation: key.id, actor: actorOf(principal) };
        const reserved = moves.map(({ sku, quantity }) => ({
          sku,
          onHandDelta: 0n,
          reservedDelta: type === "RELEASE" ? -quantity : quantity,
        }));
        const moved = await moveStock(trx, tenant, reserved, cause, nowMs);
        if ("short" in moved) {
          throw outOfStock(moved.short);
        }
        await outbox.publish(trx, moved.items.map(stockChanged));
      };
      await move("RELEASE", less);
      await move("RESERVATION", more);
      await store(trx, key, { quantities, state, revision: Number(revision) }, nowMs);
    });
    const resized = await findReservation(db.kysely, db.dialect, key);
    if (resized === undefined) {
      throw reservationNotFound(key.id);
    }
    return toReservationMessage(resized);
  };
}

/** Returns whether the reservation can be resized; a released one stays unchanged. Throws if it is still HELD. */
function isResizable({ id, state }: StoredReservation): boolean {
  if (state === "HELD") {
    throw reservationIs(state, id);
  }
  return state === "COMMITTED" || state === "CONSUMED";
}
