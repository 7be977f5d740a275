import type { Transaction } from "kysely";
import { type ShipmentClosed, ShipmentClosedSchema } from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import type { BusEvent } from "../../runtime/bus/event-bus.ts";
import { type MessageHandler, on } from "../../runtime/inbox/handlers.ts";
import type { InventoryContext } from "../context.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import { sumPerSku } from "../domain/reservation.ts";
import { stockChanged } from "../events.ts";
import { moveStock } from "../store/ledger.ts";

/**
 * Handles ShipmentClosed: adds the restocked units of a returned shipment to the stock on hand, available to any order.
 */
export function onShipmentClosed(inventory: InventoryContext): MessageHandler<InventoryDatabase> {
  return on(ShipmentClosedSchema, (trx: Transaction<InventoryDatabase>, message, event) =>
    restock(inventory, trx, message, event),
  );
}

async function restock(
  { outbox, clock }: InventoryContext,
  trx: Transaction<InventoryDatabase>,
  { shipment }: ShipmentClosed,
  { tenant }: BusEvent,
): Promise<void> {
  const back = (shipment?.lines ?? []).filter(({ quantityRestocked }) => quantityRestocked > 0);
  const units = sumPerSku(back.map(({ sku, quantityRestocked }) => ({ sku, quantity: BigInt(quantityRestocked) })));
  const moves = units.map(({ sku, quantity }) => ({ sku, onHandDelta: quantity, reservedDelta: 0n }));
  const cause = { type: "RESTOCK", reason: shipment?.name ?? "", actor: "service:logistics" } as const;
  const moved = await moveStock(trx, tenant, moves, cause, clock.now().getTime());
  if ("short" in moved) {
    throw new Error(`${shipment?.name} returned items that do not exist`);
  }
  await outbox.publish(trx, moved.items.map(stockChanged));
}
