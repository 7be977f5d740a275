import type { ServiceImpl } from "@connectrpc/connect";
import type {
  InventoryService,
  ResizeReservationRequest,
} from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import type { Command } from "../../runtime/commands/command.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import type { ReservationValue, ReservedLine, SkuQuantity } from "../domain/reservation.ts";
import { resize } from "../domain/resize.ts";
import { outOfStock, reservationIs, reservationNotFound } from "../errors.ts";
import { stockChanged } from "../events.ts";
import { reservationIdOf, toReservationMessage } from "../messages.ts";
import { items, reservations } from "../store/mappings.ts";
import { moveInBatch } from "../store/move-in-batch.ts";

/**
 * Resizes a reservation. Idempotent: quantities are totals, not differences, and the revision rejects late requests.
 */
export function resizeReservation({
  commands,
  clock,
}: InventoryContext): ServiceImpl<typeof InventoryService>["resizeReservation"] {
  return async (request, call) => {
    const principal = principalOf(call);
    const { tenant } = principal;
    const caller = { tenant, actor: actorOf(principal), nowMs: clock.now().getTime() };
    const resized = await commands.execute(resizeCommand(request, caller), { signal: call.signal, tenant });
    return toReservationMessage(resized);
  };
}

function resizeCommand(
  { name, items: asked, revision, giveBackOnly }: ResizeReservationRequest,
  { tenant, actor, nowMs }: { tenant: string; actor: string; nowMs: number },
): Command<ReservationValue> {
  const id = reservationIdOf(name);
  const wanted = new Map(asked.map(({ sku, quantity }) => [sku, quantity]));
  return {
    keys(need) {
      need.one(reservations, [tenant, id]);
      for (const sku of wanted.keys()) {
        need.one(items, [tenant, sku]);
      }
    },
    decide(batch) {
      const reservation = batch.get(reservations, [tenant, id]);
      if (reservation === undefined) {
        throw reservationNotFound(id);
      }
      if (!isResizable(reservation) || revision < reservation.revision) {
        return reservation;
      }
      const { quantities, more, less, state } = resize(reservation.lines, wanted, { giveBackOnly });
      const move = (type: "RELEASE" | "RESERVATION", units: readonly SkuQuantity[]) => {
        const moves = units.map(({ sku, quantity }) => ({
          sku,
          onHandDelta: 0n,
          reservedDelta: type === "RELEASE" ? -quantity : quantity,
        }));
        const moved = moveInBatch(batch, tenant, moves, { type, reservation: id, actor }, nowMs);
        if ("short" in moved) {
          throw outOfStock(moved.short);
        }
        for (const item of moved.items) {
          batch.publish(stockChanged(item));
        }
      };
      move("RELEASE", less);
      move("RESERVATION", more);
      const resized = {
        ...reservation,
        lines: withQuantities(reservation.lines, quantities),
        state,
        revision: Number(revision),
        updatedAt: nowMs,
      };
      batch.update(reservations, resized);
      return resized;
    },
  };
}

function withQuantities(lines: readonly ReservedLine[], quantities: readonly SkuQuantity[]): ReservedLine[] {
  const bySku = new Map(quantities.map(({ sku, quantity }) => [sku, quantity]));
  return lines.map((line) => ({ ...line, quantity: bySku.get(line.sku) ?? line.quantity }));
}

/** Returns whether the reservation can be resized; a released one stays unchanged. Throws if it is still HELD. */
function isResizable({ id, state }: ReservationValue): boolean {
  if (state === "HELD") {
    throw reservationIs(state, id);
  }
  return state === "COMMITTED" || state === "CONSUMED";
}
