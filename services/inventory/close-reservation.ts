import type { Transaction } from "kysely";
import type { InventoryContext } from "./context.ts";
import type { InventoryDatabase } from "./db/schema.ts";
import { type ReservationState, type StoredReservation, unitsLeft } from "./domain/reservation.ts";
import { reservationNotFound } from "./errors.ts";
import { reservationExpired, stockChanged } from "./events.ts";
import { moveStock } from "./store/ledger.ts";
import { lockReservation, type ReservationKey, setReservationState } from "./store/reservations.ts";

/** The actor recorded in the ledger for expiries, which no caller requests. */
const ownActor = "service:inventory";

/**
 * Releases a reservation's units that have not left the warehouse, and sets its final state. The reservation must be
 * HELD or COMMITTED and locked by the transaction.
 */
export async function closeReservation(
  { outbox, clock }: Pick<InventoryContext, "outbox" | "clock">,
  trx: Transaction<InventoryDatabase>,
  reservation: StoredReservation,
  state: "RELEASED" | "EXPIRED",
  actor: string,
): Promise<StoredReservation> {
  const nowMs = clock.now().getTime();
  const moves = unitsLeft(reservation.lines).map(({ sku, quantity }) => ({
    sku,
    onHandDelta: 0n,
    reservedDelta: -quantity,
  }));
  const cause = { type: "RELEASE", reservation: reservation.id, actor } as const;
  const moved = await moveStock(trx, reservation.tenant, moves, cause, nowMs);
  if ("short" in moved) {
    throw new Error(`reservation ${reservation.id} holds more than the stock has reserved`);
  }
  await setReservationState(trx, reservation, state, nowMs);
  const after: StoredReservation = {
    ...reservation,
    state,
    expiresAt: state === "EXPIRED" ? reservation.expiresAt : undefined,
    overdue: false,
    updatedAt: nowMs,
  };
  await outbox.publish(trx, [
    ...moved.items.map(stockChanged),
    ...(state === "EXPIRED" ? [reservationExpired(after)] : []),
  ]);
  return after;
}

/** Expires a reservation if it is HELD and past its expiry. Returns its resulting state, for the caller's error. */
export function expireIfOverdue(inventory: InventoryContext, key: ReservationKey): Promise<ReservationState> {
  const { db } = inventory;
  return db.transaction(async (trx) => {
    const reservation = await lockReservation(trx, db.dialect, key);
    if (reservation === undefined) {
      throw reservationNotFound(key.id);
    }
    if (reservation.overdue) {
      await closeReservation(inventory, trx, reservation, "EXPIRED", ownActor);
      return "EXPIRED";
    }
    // A command's clock can be a millisecond ahead of the database's.
    return reservation.state === "HELD" ? "EXPIRED" : reservation.state;
  });
}
