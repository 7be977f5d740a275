import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";

import type { InventoryService, ReserveStockRequest } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { type FieldViolation, invalidArgument } from "../../runtime/errors.ts";
import type { InventoryContext } from "../context.ts";
import {
  holdsExactly,
  type SkuQuantity,
  type StoredReservation,
  sumPerSku,
  transition,
} from "../domain/reservation.ts";
import { outOfStock, reservationDiffers, reservationIs } from "../errors.ts";
import { stockChanged } from "../events.ts";
import { expire } from "../give-back.ts";
import { reservationIdOf, toReservationMessage } from "../messages.ts";
import { moveStock } from "../store/ledger.ts";
import { extendReservation, insertReservation, lockReservation } from "../store/reservations.ts";

/** Far more than any warehouse holds, and far below what a sum of 64 bits can. */
const MAX_UNITS = 1_000_000_000_000n;
const MAX_TTL_MS = 366 * 24 * 60 * 60 * 1000;

/**
 * Holds all SKUs or none. The reservation's name is the key under which it can be repeated: the row is written first, so
 * that of two that meet the later one waits, and then finds the reservation, or the tombstone of a release. Repeating it
 * extends a hold, and never shortens one. A hold whose time is over is expired, and the request refused.
 */
export function reserveStock(inventory: InventoryContext): ServiceImpl<typeof InventoryService>["reserveStock"] {
  const { db, outbox, clock } = inventory;
  return async (request, context) => {
    const principal = principalOf(context);
    const { tenant } = principal;
    const id = reservationIdOf(request.name);
    const { wanted, ttlMs } = parse(request);

    const reserved = await db.transaction(async (trx): Promise<StoredReservation | "expired"> => {
      const nowMs = clock.now().getTime();
      const isNew = await insertReservation(trx, db.dialect, {
        tenant,
        id,
        order: request.order,
        state: "HELD",
        lines: wanted,
        ttlMs,
        createdAt: nowMs,
      });
      if (isNew) {
        const moves = wanted.map(({ sku, quantity }) => ({ sku, onHandDelta: 0n, reservedDelta: quantity }));
        const cause = { type: "RESERVATION", reservation: id, actor: actorOf(principal) } as const;
        const moved = await moveStock(trx, tenant, moves, cause, nowMs);
        if ("short" in moved) {
          throw outOfStock(moved.short);
        }
        await outbox.publish(trx, moved.items.map(stockChanged));
      }
      const reservation = asAsked(await lockReservation(trx, db.dialect, { tenant, id }), request, wanted);
      if (isNew || reservation.state !== "HELD") {
        return reservation;
      }
      if (reservation.overdue) {
        await expire(inventory, trx, reservation);
        return "expired";
      }
      await extendReservation(trx, db.dialect, { tenant, id }, ttlMs);
      return (await lockReservation(trx, db.dialect, { tenant, id })) ?? reservation;
    });
    if (reserved === "expired") {
      throw reservationIs("EXPIRED", id);
    }
    return toReservationMessage(reserved);
  };
}

/** The reservation, if it is what was asked for and has not been given back. */
function asAsked(
  reservation: StoredReservation | undefined,
  { name, order }: ReserveStockRequest,
  wanted: readonly SkuQuantity[],
): StoredReservation {
  if (reservation === undefined) {
    throw new Error(`${name} has gone in the middle of a transaction`);
  }
  if (transition(reservation.state, "reserve") === "refused") {
    throw reservationIs(reservation.state, reservation.id);
  }
  if (reservation.order !== order || !holdsExactly(reservation.lines, wanted)) {
    throw reservationDiffers(reservation.id);
  }
  return reservation;
}

function parse({ items, ttl, order }: ReserveStockRequest): { wanted: SkuQuantity[]; ttlMs: number } {
  const violations: FieldViolation[] = [];
  const wanted = sumPerSku(items);
  if (wanted.some(({ quantity }) => quantity > MAX_UNITS)) {
    violations.push({ field: "items", description: `must not sum up to more than ${MAX_UNITS} units of a SKU` });
  }
  const ttlMs = ttl ? durationMs(ttl) : 0;
  if (!(ttlMs > 0 && ttlMs <= MAX_TTL_MS)) {
    violations.push({ field: "ttl", description: "must be more than 0 and at most 366 days" });
  }
  if (!/^orders\/[^/]{1,64}$/.test(order)) {
    violations.push({ field: "order", description: "must be an order's name, orders/{order}" });
  }
  if (violations.length > 0) {
    throw invalidArgument(violations);
  }
  return { wanted, ttlMs };
}
