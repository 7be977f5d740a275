import {
  type ShipmentCollected,
  ShipmentCollectedSchema,
} from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import type { Batch, Command } from "../../runtime/commands/command.ts";
import { type MessageHandler, onAsCommand } from "../../runtime/inbox/handlers.ts";
import type { InventoryContext } from "../context.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import { allocate, type ConsumedFrom } from "../domain/consumption.ts";
import { type ReservationValue, type SkuQuantity, sumPerSku, transition } from "../domain/reservation.ts";
import type { StockMove } from "../domain/stock-move.ts";
import { stockChanged } from "../events.ts";
import { items, reservations } from "../store/mappings.ts";
import { moveInBatch } from "../store/move-in-batch.ts";
import { findCommittedOfOrders, type ReservationKey } from "../store/reservations.ts";

/**
 * Handles ShipmentCollected: removes the goods, which have left the warehouse, from the stock and from the order's
 * reservation. The reservation becomes CONSUMED with its last unit.
 *
 * Goods that left without a reservation, because the order was cancelled concurrently, are taken from the available
 * stock. If that is insufficient, the books contradict the warehouse: the event fails and becomes a dead letter for
 * manual review.
 */
export function onShipmentCollected({ clock }: InventoryContext): MessageHandler<InventoryDatabase> {
  return onAsCommand(ShipmentCollectedSchema, async (trx, received) => {
    const shipments = received.map(({ message, event }) => ({
      tenant: event.tenant,
      order: orderOf(message),
      message,
    }));
    // An order's reservation is committed before its shipment exists, so these are all that there will be.
    const committed = await findCommittedOfOrders(trx, shipments);
    return shipments.map(({ tenant, order, message }) => {
      const ofOrder = committed.filter((it) => it.tenant === tenant && it.order === order);
      return consume(message, { tenant, reservationKeys: ofOrder, nowMs: clock.now().getTime() });
    });
  });
}

function consume(
  { shipment }: ShipmentCollected,
  { tenant, reservationKeys, nowMs }: { tenant: string; reservationKeys: readonly ReservationKey[]; nowMs: number },
): Command<void> {
  const shipped = sumPerSku((shipment?.lines ?? []).map(({ sku, quantity }) => ({ sku, quantity: BigInt(quantity) })));
  return {
    keys(need) {
      for (const { id } of reservationKeys) {
        need.one(reservations, [tenant, id]);
      }
      for (const { sku } of shipped) {
        need.one(items, [tenant, sku]);
      }
    },
    decide(batch) {
      const committed = reservationKeys
        .map(({ id }) => batch.get(reservations, [tenant, id]))
        .filter((it) => it?.state === "COMMITTED") as ReservationValue[];
      const { from, unreserved } = allocate(committed, shipped);
      for (const consumed of from) {
        const reservation = committed.find(({ id }) => id === consumed.id);
        if (reservation !== undefined) {
          takeFrom(batch, reservation, consumed, nowMs);
        }
      }
      const reserved = from.flatMap(({ units }) => units);
      const cause = {
        type: "CONSUMPTION",
        ...(from[0] && { reservation: from[0].id }),
        reason: shipment?.name ?? "",
        actor: "service:logistics",
      } as const;
      const moved = moveInBatch(batch, tenant, toMoves(reserved, unreserved), cause, nowMs);
      if ("short" in moved) {
        const skus = moved.short.map(({ sku, wanted, available }) => `${sku} (${wanted}, available ${available})`);
        throw new Error(`${shipment?.name} shipped more units than are in stock: ${skus.join(", ")}`);
      }
      moved.items.map(stockChanged).forEach(batch.publish);
    },
  };
}

/** Removes the units from a COMMITTED reservation, which becomes CONSUMED with its last one. */
function takeFrom(batch: Batch, reservation: ReservationValue, { units, empties }: ConsumedFrom, nowMs: number): void {
  const taken = new Map(units.map(({ sku, quantity }) => [sku, quantity]));
  const lines = reservation.lines.map((line) => ({ ...line, consumed: line.consumed + (taken.get(line.sku) ?? 0n) }));
  const next = transition(reservation.state, "consume");
  batch.update(
    reservations,
    empties && next !== "refused" && next !== "stays"
      ? { ...reservation, lines, state: next, expiresAt: undefined, updatedAt: nowMs }
      : { ...reservation, lines },
  );
}

function orderOf({ shipment }: ShipmentCollected): string {
  return shipment?.name.split("/shipments/")[0] ?? "";
}

/** Returns one move per SKU: all units leave the stock on hand, and the reserved ones also the reserved stock. */
function toMoves(reserved: readonly SkuQuantity[], unreserved: readonly SkuQuantity[]): StockMove[] {
  const reservedBySku = new Map(sumPerSku(reserved).map(({ sku, quantity }) => [sku, quantity]));
  return sumPerSku([...reserved, ...unreserved]).map(({ sku, quantity }) => ({
    sku,
    onHandDelta: -quantity,
    reservedDelta: -(reservedBySku.get(sku) ?? 0n),
  }));
}
