import type { Transaction } from "kysely";
import {
  type ShipmentCollected,
  ShipmentCollectedSchema,
} from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import type { BusEvent } from "../../runtime/bus/event-bus.ts";
import { type MessageHandler, on } from "../../runtime/inbox/handlers.ts";
import type { InventoryContext } from "../context.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import { allocate } from "../domain/consumption.ts";
import { type SkuQuantity, sumPerSku, transition } from "../domain/reservation.ts";
import type { StockMove } from "../domain/stock-move.ts";
import { stockChanged } from "../events.ts";
import { moveStock } from "../store/ledger.ts";
import { addConsumed, lockCommittedOfOrder, setReservationState } from "../store/reservations.ts";

/**
 * Handles ShipmentCollected: removes the goods, which have left the warehouse, from the stock and from the order's
 * reservation. The reservation becomes CONSUMED with its last unit.
 *
 * Goods that left without a reservation, because the order was cancelled concurrently, are taken from the available
 * stock. If that is insufficient, the books contradict the warehouse: the event fails and becomes a dead letter for
 * manual review.
 */
export function onShipmentCollected(inventory: InventoryContext): MessageHandler<InventoryDatabase> {
  return on(ShipmentCollectedSchema, (trx: Transaction<InventoryDatabase>, message, event) =>
    consume(inventory, trx, message, event),
  );
}

async function consume(
  { db, outbox, clock }: InventoryContext,
  trx: Transaction<InventoryDatabase>,
  { shipment }: ShipmentCollected,
  { tenant }: BusEvent,
): Promise<void> {
  const order = shipment?.name.split("/shipments/")[0] ?? "";
  const shipped = (shipment?.lines ?? []).map(({ sku, quantity }) => ({ sku, quantity: BigInt(quantity) }));
  const reservations = await lockCommittedOfOrder(trx, db.dialect, tenant, order);
  const { from, unreserved } = allocate(reservations, shipped);
  const nowMs = clock.now().getTime();

  for (const { id, units, empties } of from) {
    await addConsumed(trx, { tenant, id }, units);
    const next = transition("COMMITTED", "consume");
    if (empties && next !== "refused" && next !== "stays") {
      await setReservationState(trx, { tenant, id }, next, nowMs);
    }
  }
  const reserved = from.flatMap(({ units }) => units);
  const cause = {
    type: "CONSUMPTION",
    ...(from[0] && { reservation: from[0].id }),
    reason: shipment?.name ?? "",
    actor: "service:logistics",
  } as const;
  const moved = await moveStock(trx, tenant, toMoves(reserved, unreserved), cause, nowMs);
  if ("short" in moved) {
    const skus = moved.short.map(({ sku, wanted, available }) => `${sku} (${wanted}, available ${available})`);
    throw new Error(`${shipment?.name} shipped more units than are in stock: ${skus.join(", ")}`);
  }
  await outbox.publish(trx, moved.items.map(stockChanged));
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
